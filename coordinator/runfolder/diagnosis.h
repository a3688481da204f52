/* Diagnosis: what the seconds of a run were lost to, and what to change. Pure arithmetic on the roles' reports.
 *
 *     atl_diagnosis_make(&summary, &diagnosis);
 *     puts(diagnosis.advice);
 *
 * The stages' time (stages x seconds) is cut into what they did and what they waited for; together the shares make 1.
 * The names are those of `plan --simulate` (partition/simulate.h), so that the two can be compared line by line.
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_DIAGNOSIS_H
#define ATL_COORDINATOR_RUNFOLDER_DIAGNOSIS_H

#include "coordinator/runfolder/report.h"

typedef struct {
  /* Shares of the stages' time. */
  double work;          /* drawing tokens */
  double prefill;       /* texts */
  double decode;        /* decoding on the stages' ranks */
  double coordination;  /* the coordinator on a stage's rank */
  double fill;          /* before a stage's first packet; after its last while other stages still draw */
  double tail;          /* drawing is over, decoding is not */
  double imbalance;     /* faster stages wait for the slowest of their pipeline */
  double back_pressure; /* packets wait for buffers: the next stage does not take them */
  double slots;         /* other waits between packets: too few slots in flight, messages on their way, jitter */
  double other;         /* neither work nor waiting: sending, receiving, or the system gave the core to others */
  double decoder_load;  /* of decoders with ranks of their own: share of their time; 0: none */
  int32_t n_stages;     /* whose reports were read */
  char advice[256];     /* one sentence */
} atl_diagnosis_t;

/* Mean seconds of a stage's step of a slot; 0 when it made none. */
double atl_diagnosis_step_seconds(const atl_report_t *stage);

/* Borrows. */
void atl_diagnosis_make(const atl_run_summary_t *summary, atl_diagnosis_t *diagnosis);

#endif
