/* What an attacker has a root process load: whoever loads it as root leaves a file of root's. */
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void) {
  int file = open("/loaded-as-root", O_CREAT | O_WRONLY, 0600);
  if (file >= 0) close(file);
}
