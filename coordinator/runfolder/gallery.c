/* Gallery: the template runfolder/gallery.html with its {{names}} filled in. The page shows every picture without a
 * script; the script reads the values it sorts and filters by from the same elements, so there is no second copy of the
 * data. */
#include "coordinator/runfolder/gallery.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/memory.h"
#include "common/version.h"
#include "proto/runfolder.h"

/* The build makes it from coordinator/runfolder/gallery.html. */
static const char template[] =
#include "coordinator/runfolder/gallery.inc"
    ;

enum { MAX_PICTURE_BYTES = 256 << 20, MAX_TINY = 128 };

typedef struct {
  const atl_gallery_t *gallery;
  FILE *out;
  bool is_embedded;
  int64_t n_pictures;
} writer_t;

/* Writes text escaped for elements and quoted attributes. */
static void put_text(const char *text, FILE *out) {
  for (; *text; text++) switch (*text) {
    case '&': fputs("&amp;", out); break;
    case '<': fputs("&lt;", out); break;
    case '>': fputs("&gt;", out); break;
    case '"': fputs("&quot;", out); break;
    case '\'': fputs("&#39;", out); break;
    default: fputc(*text, out);
    }
}

static void put_base64(const unsigned char *bytes, size_t n, FILE *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n; i += 3) {
    uint32_t group = (uint32_t)bytes[i] << 16;
    if (i + 1 < n) group |= (uint32_t)bytes[i + 1] << 8;
    if (i + 2 < n) group |= bytes[i + 2];
    fputc(digits[group >> 18], out);
    fputc(digits[group >> 12 & 63], out);
    fputc(i + 1 < n ? digits[group >> 6 & 63] : '=', out);
    fputc(i + 2 < n ? digits[group & 63] : '=', out);
  }
}

static uint32_t get_u32(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Width and height are at fixed offsets in every PNG; with them the page does not jump while pictures load. */
static atl_status_t get_size(const atl_file_map_t *map, const char *path, uint32_t *width, uint32_t *height) {
  ATL_CHECK(map->n_bytes >= 33 && map->n_bytes <= MAX_PICTURE_BYTES && memcmp(map->bytes, "\x89PNG\r\n\x1a\n", 8) == 0,
            INPUT, "%s: expected a PNG file of the run, found %zu bytes of something else", path, map->n_bytes);
  *width = get_u32(map->bytes + 16);
  *height = get_u32(map->bytes + 20);
  return ATL_OK;
}

static void put_image(const writer_t *writer, const atl_gallery_prompt_t *prompt, int32_t i, const atl_file_map_t *map,
                      uint32_t width, uint32_t height) {
  const atl_gallery_picture_t *picture = &prompt->pictures[i];
  fprintf(writer->out, "<img loading=\"lazy\" decoding=\"async\" width=\"%" PRIu32 "\" height=\"%" PRIu32 "\"%s alt=\"",
          width, height, width <= MAX_TINY && height <= MAX_TINY ? " class=\"tiny\"" : "");
  put_text(prompt->text, writer->out);
  fprintf(writer->out, ", position %" PRId32 "\" src=\"", i + 1);
  if (writer->is_embedded) {
    fputs("data:image/png;base64,", writer->out);
    put_base64(map->bytes, map->n_bytes, writer->out);
  } else {
    put_text(picture->file, writer->out);
  }
  fputs("\">", writer->out);
}

static void put_figure(const writer_t *writer, const atl_gallery_prompt_t *prompt, int32_t i, const atl_file_map_t *map,
                       uint32_t width, uint32_t height) {
  const atl_gallery_picture_t *picture = &prompt->pictures[i];
  bool has_score = isfinite(picture->score);
  fprintf(writer->out, "<figure data-rank=\"%" PRId32 "\" data-sample=\"%" PRId32 "\" data-sha=\"", i + 1,
          picture->sample);
  put_text(picture->sha256, writer->out);
  fputs("\" data-score=\"", writer->out);
  if (has_score) fprintf(writer->out, "%.9g", (double)picture->score);
  fputs("\"><a href=\"", writer->out);
  put_text(picture->file, writer->out);
  fputs("\">", writer->out);
  put_image(writer, prompt, i, map, width, height);
  fprintf(writer->out, "</a><figcaption><b>%" PRId32 "</b><i%s></i><span>", i + 1, has_score ? "" : " hidden");
  if (has_score)
    fprintf(writer->out, fabsf(picture->score) < 1 ? "%.4f" : "%.2f", (double)picture->score);
  else
    fprintf(writer->out, "sample %" PRId32, picture->sample);
  fputs("</span></figcaption><div class=\"of\" dir=\"auto\">", writer->out);
  put_text(prompt->text, writer->out);
  fputs("</div></figure>\n", writer->out);
}

static atl_status_t put_picture(const writer_t *writer, const atl_gallery_prompt_t *prompt, int32_t i) {
  char path[ATL_PATH_BYTES];
  atl_file_map_t map;
  uint32_t width, height;
  ATL_TRY(atl_runfolder_path(writer->gallery->folder, prompt->pictures[i].file, path));
  ATL_TRY(atl_file_map(path, &map));
  atl_status_t status = get_size(&map, path, &width, &height);
  if (status == ATL_OK) put_figure(writer, prompt, i, &map, width, height);
  atl_file_unmap(&map);
  return status;
}

static atl_status_t put_section(const writer_t *writer, const atl_gallery_prompt_t *prompt) {
  char name[ATL_FOLDER_BYTES];
  FILE *out = writer->out;
  fprintf(out, "<section data-seed=\"%" PRIu64 "\" data-samples=\"%" PRId32 "\" data-id=\"", prompt->seed,
          prompt->n_samples);
  put_text(prompt->id, out);
  fputs("\">\n<header><h2 dir=\"auto\">", out);
  put_text(prompt->text, out);
  fputs("</h2><p>id ", out);
  put_text(prompt->id, out);
  fprintf(out,
          " · seed %" PRIu64 " · kept %" PRId32 " of %" PRId32
          " · <a href=\"%s/grid.png\">contact sheet</a></p></header>\n",
          prompt->seed, prompt->n_pictures, prompt->n_samples, atl_runfolder_name(prompt->id, name));
  fputs("<div class=\"grid\">", out);
  for (int32_t i = 0; i < prompt->n_pictures; i++) ATL_TRY(put_picture(writer, prompt, i));
  fputs("</div>\n</section>\n", out);
  return ATL_OK;
}

static atl_status_t put_sections(const writer_t *writer) {
  for (int32_t i = 0; i < writer->gallery->n_prompts; i++) ATL_TRY(put_section(writer, &writer->gallery->prompts[i]));
  return ATL_OK;
}

static void put_summary(const writer_t *writer) {
  const atl_gallery_t *gallery = writer->gallery;
  int64_t n_samples = 0;
  for (int32_t i = 0; i < gallery->n_prompts; i++) n_samples += gallery->prompts[i].n_samples;
  fprintf(writer->out, "%" PRId32 " prompt%s · kept %" PRId64 " of %" PRId64 " pictures · model ", gallery->n_prompts,
          gallery->n_prompts == 1 ? "" : "s", writer->n_pictures, n_samples);
  put_text(gallery->model, writer->out);
}

/* The title is the last part of the folder's path, or "Pictures" if that is only dots. */
static void put_title(const writer_t *writer) {
  const char *start = writer->gallery->folder, *end = start + strlen(start);
  char title[256];
  while (end > start && end[-1] == '/') end--;
  for (const char *at = start; at < end; at++)
    if (*at == '/') start = at + 1;
  snprintf(title, sizeof title, "%.*s", (int)(end - start), start);
  put_text(title[strspn(title, ".")] ? title : "Pictures", writer->out);
}

static atl_status_t put_field(const writer_t *writer, const char *name, size_t n) {
  const atl_gallery_t *gallery = writer->gallery;
  const char *const texts[][2] = {
      {"version", ATL_VERSION}, {"command", gallery->command}, {"model", gallery->model}, {"made", gallery->made}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (strlen(texts[i][0]) == n && memcmp(texts[i][0], name, n) == 0)
      return put_text(texts[i][1], writer->out), ATL_OK;
  if (n == 8 && memcmp(name, "sections", n) == 0) return put_sections(writer);
  if (n == 7 && memcmp(name, "summary", n) == 0) return put_summary(writer), ATL_OK;
  if (n == 5 && memcmp(name, "title", n) == 0) return put_title(writer), ATL_OK;
  return ATL_FAIL(INTERNAL, "gallery.html has the unknown field {{%.*s}}", (int)n, name);
}

static atl_status_t put_page(const writer_t *writer) {
  const char *at = template;
  for (const char *open; (open = strstr(at, "{{")); at = strstr(open, "}}") + 2) {
    fwrite(at, 1, (size_t)(open - at), writer->out);
    ATL_TRY(put_field(writer, open + 2, (size_t)(strstr(open, "}}") - open - 2)));
  }
  fputs(at, writer->out);
  return ATL_OK;
}

/* Counts the pictures and their bytes, and decides whether to embed them. */
static atl_status_t measure(writer_t *writer) {
  const atl_gallery_t *gallery = writer->gallery;
  char path[ATL_PATH_BYTES];
  int64_t n_bytes = 0;
  for (int32_t i = 0; i < gallery->n_prompts; i++)
    for (int32_t j = 0; j < gallery->prompts[i].n_pictures; j++, writer->n_pictures++) {
      atl_file_map_t map;
      ATL_TRY(atl_runfolder_path(gallery->folder, gallery->prompts[i].pictures[j].file, path));
      ATL_TRY(atl_file_map(path, &map));
      n_bytes += (int64_t)map.n_bytes;
      atl_file_unmap(&map);
    }
  writer->is_embedded = n_bytes < gallery->max_embed_bytes;
  return ATL_OK;
}

atl_status_t atl_gallery_save(const atl_gallery_t *gallery) {
  char path[ATL_PATH_BYTES], *text = NULL;
  size_t n = 0;
  writer_t writer = {.gallery = gallery};
  ATL_TRY(atl_runfolder_path(gallery->folder, "index.html", path));
  ATL_TRY(measure(&writer));
  writer.out = open_memstream(&text, &n);
  ATL_CHECK(writer.out, MEMORY, "%s: too little memory", path);
  atl_status_t status = put_page(&writer);
  bool is_whole = !ferror(writer.out);
  if ((fclose(writer.out) != 0 || !is_whole) && status == ATL_OK)
    status = ATL_FAIL(MEMORY, "%s: too little memory", path);
  if (status == ATL_OK) status = atl_file_write(path, text, n);
  free(text);
  return status;
}
