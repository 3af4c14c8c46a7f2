/* BLAKE2b of RFC 7693, 32 bytes, without a key. */
#ifndef BLAKE2B_H
#define BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

enum { BLAKE2B_SIZE = 32, BLAKE2B_BLOCK = 128 };

struct blake2b {
    uint64_t state[8];
    uint64_t total;
    size_t held;
    uint8_t block[BLAKE2B_BLOCK];
};

void blake2b_begin(struct blake2b *hash);
void blake2b_add(struct blake2b *hash, const void *bytes, size_t size);
void blake2b_end(struct blake2b *hash, uint8_t digest[static BLAKE2B_SIZE]);

#endif
