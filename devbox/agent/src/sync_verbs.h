/* The requests of the sync protocol, each with its answer. */
#ifndef SYNC_VERBS_H
#define SYNC_VERBS_H

#include "message.h"

void sync_stat(struct reader *reader);
void sync_list(struct reader *reader);
void sync_hash(struct reader *reader);
void sync_read(struct reader *reader);
void sync_put(struct reader *reader);
void sync_begin_file(struct reader *reader);
void sync_chunk(struct reader *reader);
void sync_copy(struct reader *reader);
void sync_commit(struct reader *reader);
void sync_abort(struct reader *reader);
void sync_mkdir(struct reader *reader);
void sync_link(struct reader *reader);
void sync_remove(struct reader *reader);
void sync_rename(struct reader *reader);
void sync_chmod(struct reader *reader);
void sync_mark(struct reader *reader);

#endif
