/* What is done as `/init` of a machine's initrd: its modules, its disk, its network, and then its own init. */
#ifndef BOOT_H
#define BOOT_H

/* `words` are those that the kernel gave; they go on to the init. What fails is told on the console, and the machine
   goes off. */
_Noreturn void boot(char **words);

#endif
