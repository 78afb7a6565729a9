/* The name of a thread, as std gives it to a thread that has begun. musl's own function can name other threads too, by
   a file whose path it prints: nothing else in these programs prints in C, which takes 9 kB. Linked before the C
   library, so that its function is not wanted any more. See prctl(2), PR_SET_NAME. */

int prctl(int option, ...);
void *pthread_self(void);
int *__errno_location(void);

enum { SET_NAME = 15, NO_SUCH_THREAD = 3 };

int pthread_setname_np(void *thread, const char *name)
{
    if (thread != pthread_self())
        return NO_SUCH_THREAD;
    return prctl(SET_NAME, name) == 0 ? 0 : *__errno_location();
}
