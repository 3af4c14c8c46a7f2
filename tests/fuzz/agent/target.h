/* What the parts of the fuzzed program know of each other. */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <stdint.h>

enum tame_file { TAME_PASSWD, TAME_GROUP, TAME_OTHER, TAME_FILES };

/* What the file holds when it is opened next; the bytes stay the caller's. */
void tame_set(enum tame_file file, const uint8_t *bytes, size_t size);

/* A client that says `bytes`; the first of them says how. */
void client_run(const uint8_t *bytes, size_t size);

/* A client of the sync program, over an empty directory, that says `bytes`. */
void tree_run(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
