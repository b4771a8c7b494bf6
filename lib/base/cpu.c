/* SPDX-License-Identifier: MIT */
#include "base/cpu.h"

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>
#include <stdint.h>

/* Bits of CPUID leaves 1 and 7, and of XCR0; Intel SDM volume 2A, "CPUID", and volume 1, 13.3. */
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF1_ECX_AVX (1u << 28)
#define LEAF7_EBX_AVX2 (1u << 5)
#define LEAF7_EBX_BMI2 (1u << 8)
#define LEAF7_EBX_AVX512F (1u << 16)
#define LEAF7_EBX_SHA (1u << 29)
#define LEAF7_EBX_AVX512BW (1u << 30)
#define LEAF7_EBX_AVX512VL (1u << 31)
#define XCR0_YMM 0x6u
#define XCR0_ZMM 0xe6u

static unsigned saved_registers(void) {
    uint32_t low;
    uint32_t high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int all(unsigned set, unsigned wanted) {
    return (set & wanted) == wanted;
}

/* Zen 4, the first of AMD's with AVX-512: family 25. The next, family 26, has the full width. */
static int halves_512(unsigned signature) {
    enum { AMD_FAMILY_ZEN3_ZEN4 = 25, FAMILY_MASK = 0xf, FAMILY_EXTENDED = 15 };
    unsigned family = signature >> 8 & FAMILY_MASK;
    unsigned eax;
    unsigned ebx;
    unsigned ecx;
    unsigned edx;

    if (family == FAMILY_EXTENDED) {
        family += signature >> 20 & 0xff;
    }
    return __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_AMD_ebx &&
           family == AMD_FAMILY_ZEN3_ZEN4;
}

unsigned canary__cpu_features(void) {
    unsigned found = 0;
    unsigned signature;
    unsigned eax;
    unsigned ebx;
    unsigned ecx;
    unsigned edx;
    unsigned leaf1;
    unsigned saved;

    if (!__get_cpuid(1, &signature, &ebx, &leaf1, &edx) ||
        !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        return 0;
    }
    saved = (leaf1 & LEAF1_ECX_OSXSAVE) != 0 ? saved_registers() : 0;
    if (all(ebx, LEAF7_EBX_SHA) && all(leaf1, LEAF1_ECX_AVX) && all(saved, XCR0_YMM)) {
        found |= CANARY__CPU_SHANI;
    }
    if (all(ebx, LEAF7_EBX_AVX2 | LEAF7_EBX_BMI2) && all(saved, XCR0_YMM)) {
        found |= CANARY__CPU_AVX2;
        if (all(ebx, LEAF7_EBX_AVX512F | LEAF7_EBX_AVX512BW | LEAF7_EBX_AVX512VL) &&
            all(saved, XCR0_ZMM)) {
            found |= CANARY__CPU_AVX512 | (halves_512(signature) ? CANARY__CPU_HALVES_512 : 0);
        }
    }
    return found;
}

#elif defined(__aarch64__) && defined(__linux__)

#include <sys/auxv.h>

/* HWCAP_SHA2 of <asm/hwcap.h>, part of the kernel's ABI. */
#define SHA2 (1ul << 6)

unsigned canary__cpu_features(void) {
    return (getauxval(AT_HWCAP) & SHA2) != 0 ? CANARY__CPU_ARMV8 : 0;
}

#else

unsigned canary__cpu_features(void) {
    return 0;
}

#endif
