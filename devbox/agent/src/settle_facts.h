/* What `settle` carries out. Each returns false, and errno, for what cannot be done. */
#ifndef SETTLE_FACTS_H
#define SETTLE_FACTS_H

#include <stdbool.h>
#include <stddef.h>

struct fact {
    const char *kind;
    const char *value; /* with a NUL behind it that is not part of it */
    size_t size;
};

bool settle_is_time(const struct fact *fact);
bool settle_is_seed(const struct fact *fact);
bool settle_is_mac(const struct fact *fact);
bool settle_is_wire(const struct fact *fact);
bool settle_is_id(const struct fact *fact);
bool settle_is_text(const struct fact *fact);
bool settle_is_volume(const struct fact *fact);
bool settle_is_renamed(const struct fact *fact);
bool settle_is_file(const struct fact *fact);

bool settle_time(const struct fact *fact);
bool settle_seed(const struct fact *fact);
bool settle_mac(const struct fact *fact);
bool settle_wire(const struct fact *fact);
bool settle_machine_id(const struct fact *fact);
bool settle_hostname(const struct fact *fact);
bool settle_word(const struct fact *fact);
bool settle_identity(const struct fact *fact);
bool settle_grow(const struct fact *fact);
bool settle_data(const struct fact *fact);
bool settle_volume(const struct fact *fact);
bool settle_renamed(const struct fact *fact);
bool settle_left(const struct fact *fact);
bool settle_file(const struct fact *fact);
/* Forget what was settled before in this process's memory. */
void settle_begin(void);
/* Take away what was only needed meanwhile. */
bool settle_end(void);

#endif
