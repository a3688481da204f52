/* Diagnosis: where the stages' time went, and what to change. Pure arithmetic on the roles' reports. Local.
 *
 *     atl_diagnosis_make(&summary, &diagnosis);
 *     puts(diagnosis.advice);
 *
 * The stages' time (number of stages x seconds of the run) is divided into shares of work and of waiting, whose sum
 * is 1. The names are those of `plan --simulate` (partition/simulate.h), so that the two can be compared line by line.
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_DIAGNOSIS_H
#define ATL_COORDINATOR_RUNFOLDER_DIAGNOSIS_H

#include "coordinator/runfolder/summary.h"

typedef struct {
  /* Shares of the stages' time, 0 to 1. */
  double work;          /* drawing tokens */
  double prefill;       /* prefilling texts */
  double decode;        /* decoders on the stages' ranks */
  double coordination;  /* the coordinator on a stage's rank */
  double fill;          /* before a stage's first packet, and after its last while other stages still draw */
  double tail;          /* drawing is over, decoding is not */
  double imbalance;     /* faster stages wait for the slowest of their pipeline */
  double back_pressure; /* waiting for a free packet buffer: the next stage is behind */
  double slots;         /* other waits between packets: too few slots in flight, slow messages, jitter */
  double other;         /* neither work nor waiting: sending, receiving, or the core ran something else */
  double decoder_load;  /* busy share of decoders on ranks without stages; 0: there are none */
  int32_t n_stages;     /* stages with a report */
  char advice[256];     /* one sentence, or empty */
} atl_diagnosis_t;

/* Mean seconds of one step of this stage, without prefills; 0 when it made none. */
double atl_diagnosis_step_seconds(const atl_report_t *stage);

/* Fills *diagnosis. Leaves it empty for a run of no time. Borrows. */
void atl_diagnosis_make(const atl_run_summary_t *summary, atl_diagnosis_t *diagnosis);

#endif
