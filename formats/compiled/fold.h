/* Plain ASCII text in lower case: sixteen bytes at a time where there is SSE2. */

#ifndef NSS_FOLD_H
#define NSS_FOLD_H

#include "simd.h"

/* Write `size` bytes of ASCII in lower case; return the end of what was written. */
static inline uint8_t *nss_lower(uint8_t *out, const uint8_t *from, ptrdiff_t size) {
    ptrdiff_t done = 0;
#ifdef NSS_SSE2
    for (; size - done >= NSS_WIDTH; done += NSS_WIDTH) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(from + done));
        __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('A' - 1)),
                                      _mm_cmplt_epi8(bytes, _mm_set1_epi8('Z' + 1)));
        bytes = _mm_or_si128(bytes, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
        _mm_storeu_si128((__m128i *)(out + done), bytes);
    }
#endif
    for (; done < size; done++)
        out[done] = from[done] + (from[done] >= 'A' && from[done] <= 'Z' ? 0x20 : 0);
    return out + size;
}

#endif
