/* The loop that looks for the end of a cell: sixteen bytes at a time where there is SSE2.
 *
 * Nothing here reads outside of [at, end).
 */

#ifndef NSS_CELLS_H
#define NSS_CELLS_H

#include "simd.h"

/* Return the first byte that is `last`, or that text does not carry plainly: a quote, a backslash,
 * a control character, DEL, or part of a character beyond ASCII; `end` if there is none. */
static inline const uint8_t *nss_cell_end(const uint8_t *at, const uint8_t *end, uint8_t last) {
#ifdef NSS_SSE2
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i stop = _mm_set1_epi8((char)last);
    while (end - at >= NSS_WIDTH) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        ends = _mm_or_si128(ends, _mm_cmpeq_epi8(bytes, stop));
        int found = _mm_movemask_epi8(_mm_or_si128(ends, nss_odd(bytes, 0x20)));
        if (found)
            return at + __builtin_ctz((unsigned)found);
        at += NSS_WIDTH;
    }
#endif
    while (at < end && *at != last && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\')
        at++;
    return at;
}

#endif
