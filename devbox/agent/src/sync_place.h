/* Having something in place of something else in one step, and nothing if it is something else after all. */
#ifndef SYNC_PLACE_H
#define SYNC_PLACE_H

#include "sync_packet.h"
#include "sync_paths.h"

enum outcome { OUTCOME_DONE, OUTCOME_CHANGED, OUTCOME_FAILED };

struct change {
    struct place place;
    struct expected expected;
    const char *keep; /* where in the trash what is replaced goes; "": nowhere */
};

/* Rename without replacing: 0, or -1 and errno. */
int rename_to_nothing(int from, const char *name, int to, const char *new_name);
/* The same of what is somebody's: what he saves there meanwhile is not lost. */
int place_move(const struct place *from, const struct place *to);
/* Whether what is there is what is expected; errno if not, ESTALE if it is something else. */
bool place_holds(const struct change *change);
/* What is under `temporary` in the same directory goes where it shall be; else it is removed. FAILED: see errno. */
enum outcome place_new(const struct change *change, const char *temporary);
/* What is there goes. */
enum outcome place_nothing(const struct change *change);
/* Whether it may be replaced at all: a file, link or directory. */
bool is_replaceable(const struct expected *expected);
/* Say what came of a change where it was not done; what is there now is looked at. */
void say_outcome(enum outcome outcome, const struct place *place);
/* Say that the directory of the place is not there. */
void say_no_parent(const struct expected *expected);

#endif
