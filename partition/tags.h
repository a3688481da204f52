/* Tags: every message between roles, with sender, receiver and payload. Messages travel through partition/mailbox;
 * packets through partition/hop on a communicator of their own with tag = the receiving stage's index + 1. */
#ifndef ATL_PARTITION_TAGS_H
#define ATL_PARTITION_TAGS_H

typedef enum {
  /* control plane */
  ATL_TAG_ASK_WORK = 1, /* stage 0 of a pipeline -> coordinator: wire ask (pipeline, free slots) */
  ATL_TAG_ASSIGN,       /* coordinator -> stage 0: wire assignment (candidates for one free slot) */
  ATL_TAG_ASK_GRIDS,    /* decoder -> coordinator: wire ask (decoder, how many) */
  ATL_TAG_GRIDS,        /* coordinator -> decoder: wire grids */
  ATL_TAG_HELP,         /* coordinator -> ranks of a pipeline that has nothing left to draw: decode, empty */
  ATL_TAG_STOP,         /* coordinator -> every rank: leave the loop */
  ATL_TAG_FAILED,       /* a rank that cannot go on -> coordinator: wire failure (status, message) */
  ATL_TAG_ARRIVED,      /* every rank -> coordinator, before the loop: this phase of the start is done here, empty */
  ATL_TAG_REPORT,       /* every role -> coordinator: wire report (busy, waiting, bytes): each second, and at the end */
  /* token plane */
  ATL_TAG_TOKENS, /* last stage -> stage 0 of its pipeline: slot, then int32 code a candidate */
  /* result plane */
  ATL_TAG_DRAWN,  /* last stage -> coordinator: wire grids (finished token grids) */
  ATL_TAG_LOGITS, /* last stage -> coordinator: int32 sequence, int32 position, then its logits as floats (probe) */
  ATL_TAG_RECORD  /* decoder -> coordinator: wire record (prompt, sample, score, digest, bytes written) */
} atl_tag_t;

#endif
