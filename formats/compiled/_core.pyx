# cython: language_level=3, cdivision=True, wraparound=False, boundscheck=False
"""The plan of a pipeline over a batch of records in one pass, without the interpreter lock.

It reads, checks and prints what it is certain of, and hands over every other record. Nothing in
the pass touches a Python object. Indices of pointers are argued for where they are not obvious:

    records     a byte is read where `at < end` was seen; `end` is that of the batch
    scratch     as large as the batch; a record's texts take less than the record
    lines       `has_room` before each piece
    values      slots are checked in `Core.__init__`, keys lead to slots from there
"""

from cython cimport final
from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_ND,
    PyBUF_SIMPLE,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT16_MAX, INT64_MAX, int8_t, int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset, strlen

from formats.lines import Lines


cdef extern from "simd.h" nogil:
    enum:
        WIDTH "NSS_WIDTH"
    const uint8_t* nss_plain_end(const uint8_t* at, const uint8_t* end)
    const uint8_t* nss_plain_block(
        const uint8_t* at, const uint8_t* end, const uint8_t** block
    )
    const uint8_t* nss_put_plain(uint8_t** to, const uint8_t* at, const uint8_t* end)
    const uint8_t* nss_put_until(
        uint8_t** to,
        const uint8_t* at,
        const uint8_t* end,
        int padded,
        const uint8_t* stops,
        int first,
        int high,
    )
    uint8_t* put_hex "nss_put_hex"(uint8_t* out, uint8_t byte)
    uint8_t* nss_put_but(
        uint8_t* out, const uint8_t* at, const uint8_t* end, const uint8_t* stops
    )
    int nss_follows(const uint8_t* at, const uint8_t* pattern, uint32_t mask, int size)
    int nss_begins(const uint8_t* at, const uint8_t* end, const uint8_t* pattern, int size)
    uint8_t* nss_put(uint8_t* out, const uint8_t* source, Py_ssize_t size, int padded)


cdef extern from "text.h" nogil:
    enum:
        ESCAPED "NSS_ESCAPED"
        HIGH "NSS_HIGH"
        CONTROL "NSS_CONTROL"
        PADDED "NSS_PADDED"
    ctypedef struct nss_stop:
        const uint8_t* end
        size_t flags
    const uint8_t nss_escape[256]
    const uint8_t nss_hex[256]
    int sequence_size "nss_sequence_size"(const uint8_t* at, const uint8_t* end)
    bint is_unsafe_sequence "nss_is_unsafe"(const uint8_t* at)
    nss_stop nss_text_end(const uint8_t* at, const uint8_t* end)
    nss_stop nss_put_escaped(
        uint8_t** to,
        const uint8_t* text,
        const uint8_t* block,
        const uint8_t* at,
        const uint8_t* end,
    )
    const uint8_t* nss_put_text(
        uint8_t** to, const uint8_t* at, const uint8_t* end, unsigned* flags
    )


include "scan.pxi"
include "keys.pxi"
include "aside.pxi"
include "derive.pxi"
include "twins.pxi"
include "record.pxi"
include "cells.pxi"
include "pairs.pxi"
include "columns.pxi"
include "headers.pxi"
include "sequence.pxi"
include "lines.pxi"
include "moments.pxi"
include "render.pxi"
include "shorten.pxi"
include "fold.pxi"
include "address.pxi"
include "predicate.pxi"
include "order.pxi"
include "output.pxi"
include "run.pxi"
include "core.pxi"
include "stated.pxi"
include "pieces.pxi"
include "arrays.pxi"
