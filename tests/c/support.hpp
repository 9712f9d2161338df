// What the tests of the C++ face have in common.

#ifndef SUPPORT_HPP
#define SUPPORT_HPP

#include <sockline.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        alarm(120);                                                                                \
        test();                                                                                    \
        std::printf("ok %s\n", #test);                                                             \
        std::fflush(stdout);                                                                       \
    } while (0)

template <typename Condition> void until(sockline::Loop &loop, Condition &&condition) {
    while (!condition()) CHECK(loop.poll(-1));
}

#endif
