#include "sftp.h"

int sftp_serve(void) {
    return 1;
}
