/* Without a fuzzer: every file that is named is one input. */
#include <stdio.h>
#include <stdlib.h>

#include "target.h"

enum { INPUT_MOST = 1 << 20 };

int main(int number, char **names) {
    static uint8_t room[INPUT_MOST];
    for (int index = 1; index < number; index++) {
        FILE *file = fopen(names[index], "rb");
        if (file == NULL) {
            return 2;
        }
        size_t size = fread(room, 1, sizeof room, file);
        fclose(file);
        fprintf(stderr, "%s\n", names[index]);
        LLVMFuzzerTestOneInput(room, size);
    }
    return 0;
}
