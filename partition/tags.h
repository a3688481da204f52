/* Tags: all messages between roles, with sender, receiver and payload. They travel through partition/mailbox. Packets
 * travel through partition/hop, on their own communicator, with the receiving stage's index as tag. */
#ifndef ATL_PARTITION_TAGS_H
#define ATL_PARTITION_TAGS_H

typedef enum {
  /* control plane */
  ATL_TAG_ASK_WORK = 1, /* stage 0 of a pipeline -> coordinator: wire ask (pipeline, number of free slots) */
  ATL_TAG_ASSIGN,       /* coordinator -> stage 0: wire assignment (candidates for one free slot) */
  ATL_TAG_ASK_GRIDS,    /* decoder -> coordinator: wire ask (decoder, number of token grids) */
  ATL_TAG_GRIDS,        /* coordinator -> decoder: wire grids (token grids) */
  ATL_TAG_HELP,         /* coordinator -> ranks of a pipeline that has nothing left to draw: become a decoder; empty */
  ATL_TAG_STOP,         /* coordinator -> every rank: leave the loop; empty */
  ATL_TAG_FAILED,       /* a rank that failed -> coordinator: wire failure (status, message) */
  ATL_TAG_ARRIVED,      /* every rank -> coordinator, before the loop: this phase of the start is complete; empty */
  ATL_TAG_REPORT,       /* every role -> coordinator, each second: wire report (busy, waiting, bytes) */
  /* token plane */
  ATL_TAG_TOKENS, /* last stage -> stage 0 of its pipeline: int32 slot, then one int32 token per candidate */
  /* result plane */
  ATL_TAG_DRAWN,  /* last stage -> coordinator: wire grids (finished token grids) */
  ATL_TAG_LOGITS, /* last stage -> coordinator: int32 sequence, int32 position, then its logits as floats (probe) */
  ATL_TAG_RECORD  /* decoder -> coordinator: wire record (prompt, sample, score, digest, bytes written) */
} atl_tag_t;

#endif
