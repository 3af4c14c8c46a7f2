#include "blake2b.h"

#include <string.h>

static const uint64_t first[8] = {
    0x6a09e667f3bcc908ULL, 0xbb67ae8584caa73bULL, 0x3c6ef372fe94f82bULL, 0xa54ff53a5f1d36f1ULL,
    0x510e527fade682d1ULL, 0x9b05688c2b3e6c1fULL, 0x1f83d9abfb41bd6bULL, 0x5be0cd19137e2179ULL,
};

static const uint8_t order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint64_t right(uint64_t value, unsigned count) {
    return value >> count | value << (64 - count);
}

static uint64_t word(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value); /* both of our machines are little-endian, as BLAKE2b is */
    return value;
}

#define MIX(a, b, c, d, x, y)                                                                                          \
    do {                                                                                                               \
        (a) += (b) + (x);                                                                                              \
        (d) = right((d) ^ (a), 32);                                                                                    \
        (c) += (d);                                                                                                    \
        (b) = right((b) ^ (c), 24);                                                                                    \
        (a) += (b) + (y);                                                                                              \
        (d) = right((d) ^ (a), 16);                                                                                    \
        (c) += (d);                                                                                                    \
        (b) = right((b) ^ (c), 63);                                                                                    \
    } while (0)

static void take_block(struct blake2b *hash, const uint8_t *block, uint64_t last) {
    uint64_t v[16];
    memcpy(v, hash->state, sizeof hash->state);
    memcpy(v + 8, first, sizeof first);
    v[12] ^= hash->total; /* the high half of the count is 0: nobody has files of 2^64 bytes */
    v[14] ^= last;
    for (int round = 0; round < 12; round++) {
        const uint8_t *at = order[round % 10];
#define M(index) word(block + 8 * at[index])
        MIX(v[0], v[4], v[8], v[12], M(0), M(1));
        MIX(v[1], v[5], v[9], v[13], M(2), M(3));
        MIX(v[2], v[6], v[10], v[14], M(4), M(5));
        MIX(v[3], v[7], v[11], v[15], M(6), M(7));
        MIX(v[0], v[5], v[10], v[15], M(8), M(9));
        MIX(v[1], v[6], v[11], v[12], M(10), M(11));
        MIX(v[2], v[7], v[8], v[13], M(12), M(13));
        MIX(v[3], v[4], v[9], v[14], M(14), M(15));
#undef M
    }
    for (int index = 0; index < 8; index++) {
        hash->state[index] ^= v[index] ^ v[index + 8];
    }
}

void blake2b_begin(struct blake2b *hash) {
    memcpy(hash->state, first, sizeof first);
    hash->state[0] ^= 0x01010000 ^ BLAKE2B_SIZE;
    hash->total = 0;
    hash->held = 0;
}

void blake2b_add(struct blake2b *hash, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    while (size > 0) {
        if (hash->held == BLAKE2B_BLOCK) { /* only now, as the last block is another matter */
            hash->total += BLAKE2B_BLOCK;
            take_block(hash, hash->block, 0);
            hash->held = 0;
        }
        while (hash->held == 0 && size > BLAKE2B_BLOCK) {
            hash->total += BLAKE2B_BLOCK;
            take_block(hash, at, 0);
            at += BLAKE2B_BLOCK;
            size -= BLAKE2B_BLOCK;
        }
        size_t room = BLAKE2B_BLOCK - hash->held;
        size_t some = size < room ? size : room;
        memcpy(hash->block + hash->held, at, some);
        hash->held += some;
        at += some;
        size -= some;
    }
}

void blake2b_end(struct blake2b *hash, uint8_t digest[static BLAKE2B_SIZE]) {
    memset(hash->block + hash->held, 0, BLAKE2B_BLOCK - hash->held);
    hash->total += hash->held;
    take_block(hash, hash->block, ~0ULL);
    memcpy(digest, hash->state, BLAKE2B_SIZE);
}
