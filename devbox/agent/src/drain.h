/* Output that nobody reads any more, read and dropped, so that its writers neither block nor break. */
#ifndef DRAIN_H
#define DRAIN_H

/* Takes the descriptor over (-1: nothing to do); it is closed at its end. */
void drain_start(int fd);

#endif
