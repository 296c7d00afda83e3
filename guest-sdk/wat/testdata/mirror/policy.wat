;; The mirror: it says what it reads of a record, writes the answers that it is told to
;; write, and calls the imports that it is told to call. tests/sdk holds it to the golden
;; vectors of the ABI. Numbers such as §3 are sections of ABI.md.
;;
;; Memory:
;;   0x000000  texts
;;   0x001000  the mailbox, 256 KiB
;;   0x050000  the chunk without its first two bytes, which may be a record
;;   0x070000  what is answered, and where imports write
;;   0x0b0000  a request of fetch
(module
  (import "edgeftp" "log" (func $log (param i32 i32 i32)))
  (import "edgeftp" "kv_get" (func $kv_get (param i32 i32 i32 i32) (result i64)))
  (import "edgeftp" "kv_set" (func $kv_set (param i32 i32 i32 i32 i64) (result i32)))
  (import "edgeftp" "kv_incr" (func $kv_incr (param i32 i32 i64 i64 i32) (result i32)))
  (import "edgeftp" "kv_cas" (func $kv_cas (param i32 i32 i32 i32 i32 i32 i64) (result i32)))
  (import "edgeftp" "metric" (func $metric (param i32 i32 i32 i64)))
  (import "edgeftp" "random" (func $random (param i32 i32)))
  (import "edgeftp" "pw_verify" (func $pw_verify (param i32 i32) (result i32)))
  (import "edgeftp" "stat" (func $stat (param i32 i32 i32 i32) (result i64)))
  (import "edgeftp" "digest" (func $digest (param i32 i32 i32 i32) (result i64)))
  (import "edgeftp" "fetch" (func $fetch (param i32 i32 i32 i32) (result i64)))

  (memory (export "memory") 13)
  (global $box i32 (i32.const 0x001000))
  (global $rec i32 (i32.const 0x050000))
  (global $out i32 (i32.const 0x070000))
  (global $req i32 (i32.const 0x0b0000))
  (global $o (mut i32) (i32.const 0))   ;; where the next byte of the answer goes
  (global $at (mut i32) (i32.const 0))  ;; where the next byte is read
  (global $end (mut i32) (i32.const 0)) ;; behind the last byte to read

  ;; Texts end with a NUL; those of spans have eight bytes each.
  (data (i32.const 0x100) "USER \00..PATH \00..ARG \00...PEER \00..PEER16 \00ROOT \00..ATTR \00..STATE \00.EXTRA \00")
  (data (i32.const 0x200) "refused\0a\00")
  (data (i32.const 0x210) "unknown\0a\00")
  (data (i32.const 0x220) "op \00")
  (data (i32.const 0x228) "session \00")
  (data (i32.const 0x238) "request \00")
  (data (i32.const 0x248) "time \00")
  (data (i32.const 0x250) "a \00")
  (data (i32.const 0x258) "b \00")
  (data (i32.const 0x260) "flags \00")
  (data (i32.const 0x268) "attr \00")
  (data (i32.const 0x270) "entry \00")
  (data (i32.const 0x278) "result \00")
  (data (i32.const 0x288) "out \00")
  (data (i32.const 0x290) "0123456789abcdef")
  ;; 0x300: the 16 bytes of an address. 0x320: digits of a number, from the last.

  ;; ---------------------------------------------------------------- the border (§1)

  (func (export "edgeftp_abi_v1") (param $minor i32) (param $features i64) (result i64)
    (i64.const 0x00040000_00001000)) ;; 262,144 bytes at 0x1000

  (func (export "edgeftp_data") (param $len i32) (result i64)
    (local $chunk i32) (local $n i32) (local $what i32) (local $sub i32)
    ;; ARG is span 2 of the question; it is copied, because the answer is written over it.
    (local.set $chunk (i32.add (global.get $box) (i32.load offset=72 (global.get $box))))
    (local.set $n (i32.load offset=76 (global.get $box)))
    (global.set $o (i32.add (global.get $out) (i32.const 4)))
    (if (i32.ge_u (local.get $n) (i32.const 2)) (then
      (local.set $what (i32.load8_u (local.get $chunk)))
      (local.set $sub (i32.load8_u offset=1 (local.get $chunk)))
      (local.set $n (i32.sub (local.get $n) (i32.const 2)))
      (memory.copy (global.get $rec) (i32.add (local.get $chunk) (i32.const 2)) (local.get $n))
      (global.set $at (global.get $rec))
      (global.set $end (i32.add (global.get $rec) (local.get $n)))))
    (if (i32.eq (local.get $what) (i32.const 0x51)) ;; Q
      (then (call $question (local.get $sub) (local.get $n)))
      (else (if (i32.eq (local.get $what) (i32.const 0x41)) ;; A
        (then (call $answer (local.get $sub)))
        (else (if (i32.eq (local.get $what) (i32.const 0x49)) ;; I
          (then (call $import (local.get $sub)))
          (else (call $text (i32.const 0x210))))))))
    (call $rewrite))

  ;; A rewrite: the number of the new bytes, and they (§6).
  (func $rewrite (result i64)
    (local $n i32)
    (local.set $n (i32.sub (global.get $o) (global.get $out)))
    (i32.store (global.get $out) (i32.sub (local.get $n) (i32.const 4)))
    (memory.copy (global.get $box) (global.get $out) (local.get $n))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $n)) (i64.const 32)) (i64.const 0x00030000)))

  ;; ---------------------------------------------------------------- writing

  (func $byte (param $c i32)
    (i32.store8 (global.get $o) (local.get $c))
    (global.set $o (i32.add (global.get $o) (i32.const 1))))

  (func $copy (param $from i32) (param $n i32)
    (memory.copy (global.get $o) (local.get $from) (local.get $n))
    (global.set $o (i32.add (global.get $o) (local.get $n))))

  ;; A text up to its NUL.
  (func $text (param $from i32)
    (local $c i32)
    (loop $next
      (local.set $c (i32.load8_u (local.get $from)))
      (if (local.get $c) (then
        (call $byte (local.get $c))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $next)))))

  ;; Bytes in hex, and the end of the line.
  (func $hex (param $from i32) (param $n i32)
    (local $c i32)
    (loop $next
      (if (local.get $n) (then
        (local.set $c (i32.load8_u (local.get $from)))
        (call $byte (i32.load8_u offset=0x290 (i32.shr_u (local.get $c) (i32.const 4))))
        (call $byte (i32.load8_u offset=0x290 (i32.and (local.get $c) (i32.const 15))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next))))
    (call $byte (i32.const 10)))

  ;; A number without a sign in decimal.
  (func $unsigned (param $n i64)
    (local $p i32)
    (local.set $p (i32.const 0x340))
    (loop $next
      (local.set $p (i32.sub (local.get $p) (i32.const 1)))
      (i64.store8 (local.get $p) (i64.add (i64.const 0x30) (i64.rem_u (local.get $n) (i64.const 10))))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (br_if $next (i64.ne (local.get $n) (i64.const 0))))
    (call $copy (local.get $p) (i32.sub (i32.const 0x340) (local.get $p))))

  (func $signed (param $n i64)
    (if (i64.lt_s (local.get $n) (i64.const 0)) (then
      (call $byte (i32.const 0x2d))
      (local.set $n (i64.sub (i64.const 0) (local.get $n)))))
    (call $unsigned (local.get $n)))

  ;; A line of a name and a number.
  (func $line (param $name i32) (param $n i64)
    (call $text (local.get $name))
    (call $signed (local.get $n))
    (call $byte (i32.const 10)))

  ;; ---------------------------------------------------------------- the record (§3)

  (func $u16 (param $off i32) (result i32) (i32.load16_u (i32.add (global.get $rec) (local.get $off))))
  (func $u32 (param $off i32) (result i32) (i32.load (i32.add (global.get $rec) (local.get $off))))
  (func $i64 (param $off i32) (result i64) (i64.load (i32.add (global.get $rec) (local.get $off))))

  ;; Where the bytes of span s are, and how many.
  (func $span (param $s i32) (result i32)
    (i32.add (global.get $rec) (call $u32 (i32.add (i32.const 56) (i32.shl (local.get $s) (i32.const 3))))))
  (func $length (param $s i32) (result i32)
    (call $u32 (i32.add (i32.const 60) (i32.shl (local.get $s) (i32.const 3)))))

  ;; Nine spans of cmd (4), site (5) and data (7), eight of the others.
  (func $spans (param $hook i32) (result i32)
    (i32.add (i32.const 8) (i32.and (i32.shr_u (i32.const 0xb0) (local.get $hook)) (i32.const 1))))

  ;; Whether the hook is fs (2), throttle (6), data (7) or event (8), which have an operation.
  (func $has_op (param $hook i32) (result i32)
    (i32.and (i32.shr_u (i32.const 0x1c4) (local.get $hook)) (i32.const 1)))

  (func $question (param $hook i32) (param $n i32)
    (local $s i32)
    (if (i32.eqz (call $record (local.get $hook) (local.get $n))) (then
      (call $text (i32.const 0x200))
      (return)))
    (call $line (i32.const 0x220) (i64.extend_i32_u (call $u16 (i32.const 6))))
    (call $text (i32.const 0x228)) (call $unsigned (call $i64 (i32.const 8))) (call $byte (i32.const 10))
    (call $text (i32.const 0x238)) (call $unsigned (call $i64 (i32.const 16))) (call $byte (i32.const 10))
    (call $line (i32.const 0x248) (call $i64 (i32.const 24)))
    (call $line (i32.const 0x250) (call $i64 (i32.const 32)))
    (call $line (i32.const 0x258) (call $i64 (i32.const 40)))
    (call $line (i32.const 0x260) (i64.extend_i32_u (call $u32 (i32.const 48))))
    (loop $next
      (call $text (i32.add (i32.const 0x100) (i32.shl (local.get $s) (i32.const 3))))
      (call $hex (call $span (local.get $s)) (call $length (local.get $s)))
      (local.set $s (i32.add (local.get $s) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $s) (call $spans (local.get $hook)))))
    (local.set $s (i32.const 1))
    (loop $next
      (call $show_attribute (local.get $s))
      (local.set $s (i32.add (local.get $s) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $s) (i32.const 25))))
    (if (i32.eq (local.get $hook) (i32.const 3)) (then (call $show_entries))))

  ;; Whether the record is one of the hook.
  (func $record (param $hook i32) (param $n i32) (result i32)
    (if (i32.lt_u (local.get $n) (i32.const 56)) (then (return (i32.const 0))))
    (if (i32.ne (call $u32 (i32.const 0)) (local.get $n)) (then (return (i32.const 0))))
    (if (i32.ne (call $u16 (i32.const 4)) (local.get $hook)) (then (return (i32.const 0))))
    (if (i32.eqz (call $table (call $spans (local.get $hook)) (local.get $n))) (then (return (i32.const 0))))
    (if (i32.eqz (call $attributes)) (then (return (i32.const 0))))
    (if (i32.eqz (call $peer)) (then (return (i32.const 0))))
    (if (i32.gt_u (call $length (i32.const 7)) (i32.const 1024)) (then (return (i32.const 0))))
    (if (i32.ne (call $has_op (local.get $hook)) (i32.ne (call $u16 (i32.const 6)) (i32.const 0)))
      (then (return (i32.const 0))))
    (call $of_hook (local.get $hook)))

  ;; Whether the table of spans has enough of them, and all that are known lie in the
  ;; record, behind the table, with a NUL.
  (func $table (param $least i32) (param $n i32) (result i32)
    (local $count i32) (local $first i32) (local $s i32) (local $off i64) (local $last i64)
    (local.set $count (call $u32 (i32.const 52)))
    (if (i32.lt_u (local.get $count) (local.get $least)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $count) (i32.const 64)) (then (return (i32.const 0))))
    (local.set $first (i32.add (i32.const 56) (i32.shl (local.get $count) (i32.const 3))))
    (if (i32.gt_u (local.get $first) (local.get $n)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $count) (i32.const 9)) (then (local.set $count (i32.const 9))))
    (loop $next
      ;; In 64 bits the sum cannot wrap. The NUL is at $last.
      (local.set $off (i64.extend_i32_u (call $u32 (i32.add (i32.const 56) (i32.shl (local.get $s) (i32.const 3))))))
      (local.set $last (i64.add (local.get $off) (i64.extend_i32_u (call $length (local.get $s)))))
      (if (i64.lt_u (local.get $off) (i64.extend_i32_u (local.get $first))) (then (return (i32.const 0))))
      (if (i64.ge_u (local.get $last) (i64.extend_i32_u (local.get $n))) (then (return (i32.const 0))))
      (if (i32.load8_u (i32.add (global.get $rec) (i32.wrap_i64 (local.get $last)))) (then (return (i32.const 0))))
      (local.set $s (i32.add (local.get $s) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $s) (local.get $count))))
    (i32.const 1))

  ;; ---------------------------------------------------------------- ATTR (§5)

  ;; Whether the entries of ATTR fill it, each key at most once, with values of its form.
  (func $attributes (result i32)
    (local $p i32) (local $left i32) (local $key i32) (local $n i32) (local $seen i32)
    (local.set $p (call $span (i32.const 6)))
    (local.set $left (call $length (i32.const 6)))
    (loop $next
      (if (i32.eqz (local.get $left)) (then (return (i32.const 1))))
      (if (i32.lt_u (local.get $left) (i32.const 4)) (then (return (i32.const 0))))
      (local.set $key (i32.load16_u (local.get $p)))
      (local.set $n (i32.load16_u offset=2 (local.get $p)))
      (local.set $left (i32.sub (local.get $left) (i32.const 4)))
      (local.set $p (i32.add (local.get $p) (i32.const 4)))
      (if (i32.gt_u (local.get $n) (local.get $left)) (then (return (i32.const 0))))
      (if (i32.eqz (local.get $key)) (then (return (i32.const 0))))
      (if (i32.lt_u (local.get $key) (i32.const 25)) (then ;; others are of later minors
        (if (i32.and (local.get $seen) (i32.shl (i32.const 1) (local.get $key))) (then (return (i32.const 0))))
        (local.set $seen (i32.or (local.get $seen) (i32.shl (i32.const 1) (local.get $key))))
        (if (i32.eqz (call $attribute (local.get $key) (local.get $p) (local.get $n))) (then (return (i32.const 0))))))
      (local.set $left (i32.sub (local.get $left) (local.get $n)))
      (local.set $p (i32.add (local.get $p) (local.get $n)))
      (br $next))
    (unreachable))

  ;; Whether the value has the form of its key.
  (func $attribute (param $key i32) (param $p i32) (param $n i32) (result i32)
    (if (i32.eq (local.get $key) (i32.const 5)) (then ;; TLS_RESUMED
      (return (i32.eqz (local.get $n)))))
    (if (i32.or (i32.eq (local.get $key) (i32.const 11)) (i32.eq (local.get $key) (i32.const 24))) (then ;; LOCAL, DATA_PEER
      (return (call $address (local.get $p) (local.get $n)))))
    (if (i32.or (i32.eq (local.get $key) (i32.const 14)) (i32.eq (local.get $key) (i32.const 15))) (then ;; CODE, OP
      (return (i32.eq (local.get $n) (i32.const 2)))))
    (if (i32.eq (local.get $key) (i32.const 17)) (then ;; GENERATION
      (return (i32.eq (local.get $n) (i32.const 8)))))
    (if (i32.or (i32.eq (local.get $key) (i32.const 19)) (i32.eq (local.get $key) (i32.const 20))) (then ;; SIZE, TOOK
      (if (i32.ne (local.get $n) (i32.const 8)) (then (return (i32.const 0))))
      (return (i64.ge_s (i64.load (local.get $p)) (i64.const 0)))))
    (if (i32.eq (local.get $key) (i32.const 23)) (then ;; BINDING
      (return (i32.eq (local.get $n) (i32.const 32)))))
    (i32.const 1))

  ;; A line about one attribute, if it is there.
  (func $show_attribute (param $key i32)
    (local $p i32) (local $end i32)
    (local.set $p (call $span (i32.const 6)))
    (local.set $end (i32.add (local.get $p) (call $length (i32.const 6))))
    (loop $next
      (if (i32.ge_u (local.get $p) (local.get $end)) (then (return)))
      (if (i32.eq (i32.load16_u (local.get $p)) (local.get $key)) (then
        (call $text (i32.const 0x268))
        (call $unsigned (i64.extend_i32_u (local.get $key)))
        (call $byte (i32.const 0x20))
        (call $hex (i32.add (local.get $p) (i32.const 4)) (i32.load16_u offset=2 (local.get $p)))
        (return)))
      (local.set $p (i32.add (i32.add (local.get $p) (i32.const 4)) (i32.load16_u offset=2 (local.get $p))))
      (br $next)))

  ;; ---------------------------------------------------------------- addresses

  ;; Whether PEER and PEER16 say the same.
  (func $peer (result i32)
    (if (i32.eqz (i32.or (call $length (i32.const 3)) (call $length (i32.const 4)))) (then (return (i32.const 1))))
    (if (i32.eqz (call $address (call $span (i32.const 3)) (call $length (i32.const 3)))) (then (return (i32.const 0))))
    (if (i32.ne (call $length (i32.const 4)) (i32.const 16)) (then (return (i32.const 0))))
    (i32.and
      (i64.eq (i64.load (call $span (i32.const 4))) (i64.load (i32.const 0x300)))
      (i64.eq (i64.load offset=8 (call $span (i32.const 4))) (i64.load (i32.const 0x308)))))

  ;; Reads an address with a port, and leaves its 16 bytes at 0x300.
  (func $address (param $p i32) (param $n i32) (result i32)
    (local $first i32)
    (global.set $at (local.get $p))
    (global.set $end (i32.add (local.get $p) (local.get $n)))
    (memory.fill (i32.const 0x300) (i32.const 0) (i32.const 16))
    (if (call $skip (i32.const 0x5b)) ;; [
      (then
        (if (i32.eqz (call $groups)) (then (return (i32.const 0))))
        (if (call $skip (i32.const 0x25)) (then ;; %, and the zone up to ]
          (local.set $first (global.get $at))
          (block $done (loop $next
            (br_if $done (i32.eq (call $peek) (i32.const 0x5d)))
            (br_if $done (i32.eq (call $peek) (i32.const -1)))
            (global.set $at (i32.add (global.get $at) (i32.const 1)))
            (br $next)))
          (if (i32.eq (local.get $first) (global.get $at)) (then (return (i32.const 0))))))
        (if (i32.eqz (call $skip (i32.const 0x5d))) (then (return (i32.const 0)))))
      (else
        (i32.store16 (i32.const 0x30a) (i32.const 0xffff)) ;; IPv4 in ::ffff:0:0/96
        (if (i32.eqz (call $dotted (i32.const 0x30c))) (then (return (i32.const 0))))))
    (if (i32.eqz (call $skip (i32.const 0x3a))) (then (return (i32.const 0))))
    (i32.and
      (i32.ge_s (call $decimal (i32.const 65535)) (i32.const 0))
      (i32.eq (global.get $at) (global.get $end))))

  ;; The next byte, -1 at the end.
  (func $peek (result i32)
    (if (i32.ge_u (global.get $at) (global.get $end)) (then (return (i32.const -1))))
    (i32.load8_u (global.get $at)))

  ;; Takes the next byte, if it is c.
  (func $skip (param $c i32) (result i32)
    (if (i32.ne (call $peek) (local.get $c)) (then (return (i32.const 0))))
    (global.set $at (i32.add (global.get $at) (i32.const 1)))
    (i32.const 1))

  ;; A number in decimal of at most $most, -1 if there is none.
  (func $decimal (param $most i32) (result i32)
    (local $n i32) (local $d i32)
    (local.set $n (i32.const -1))
    (loop $next
      (local.set $d (i32.sub (call $peek) (i32.const 0x30)))
      (if (i32.lt_u (local.get $d) (i32.const 10)) (then
        (if (i32.eq (local.get $n) (i32.const -1)) (then (local.set $n (i32.const 0))))
        (local.set $n (i32.add (i32.mul (local.get $n) (i32.const 10)) (local.get $d)))
        (if (i32.gt_u (local.get $n) (local.get $most)) (then (return (i32.const -1))))
        (global.set $at (i32.add (global.get $at) (i32.const 1)))
        (br $next))))
    (local.get $n))

  ;; Four numbers with dots, without leading zeros.
  (func $dotted (param $to i32) (result i32)
    (local $i i32) (local $n i32) (local $zero i32) (local $first i32)
    (loop $next
      (if (local.get $i) (then
        (if (i32.eqz (call $skip (i32.const 0x2e))) (then (return (i32.const 0))))))
      (local.set $zero (i32.eq (call $peek) (i32.const 0x30)))
      (local.set $first (i32.add (global.get $at) (i32.const 1)))
      (local.set $n (call $decimal (i32.const 255)))
      (if (i32.lt_s (local.get $n) (i32.const 0)) (then (return (i32.const 0))))
      (if (i32.and (local.get $zero) (i32.gt_u (global.get $at) (local.get $first))) (then (return (i32.const 0))))
      (i32.store8 (i32.add (local.get $to) (local.get $i)) (local.get $n))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 4))))
    (i32.const 1))

  ;; The eight groups of an IPv6 address (RFC 4291 §2.2), :: for groups of zeros.
  (func $groups (result i32)
    (local $n i32) (local $gap i32) (local $g i32) (local $first i32) (local $to i32)
    (local.set $gap (i32.const -1))
    (if (call $skip (i32.const 0x3a)) (then
      (if (i32.eqz (call $skip (i32.const 0x3a))) (then (return (i32.const 0))))
      (local.set $gap (i32.const 0))))
    (block $done (loop $next
      (br_if $done (i32.eq (local.get $n) (i32.const 8)))
      (local.set $first (global.get $at))
      (local.set $to (i32.add (i32.const 0x300) (i32.shl (local.get $n) (i32.const 1))))
      (local.set $g (call $hex4))
      (br_if $done (i32.lt_s (local.get $g) (i32.const 0)))
      (if (i32.eq (call $peek) (i32.const 0x2e)) (then ;; the last 32 bits may be dotted
        (global.set $at (local.get $first))
        (if (i32.gt_u (local.get $n) (i32.const 6)) (then (return (i32.const 0))))
        (if (i32.eqz (call $dotted (local.get $to))) (then (return (i32.const 0))))
        (local.set $n (i32.add (local.get $n) (i32.const 2)))
        (br $done)))
      (i32.store8 (local.get $to) (i32.shr_u (local.get $g) (i32.const 8)))
      (i32.store8 offset=1 (local.get $to) (local.get $g))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $done (i32.eq (local.get $n) (i32.const 8)))
      (br_if $done (i32.eqz (call $skip (i32.const 0x3a))))
      (if (call $skip (i32.const 0x3a))
        (then
          (if (i32.ge_s (local.get $gap) (i32.const 0)) (then (return (i32.const 0))))
          (local.set $gap (local.get $n)))
        (else
          (if (i32.lt_s (call $digit) (i32.const 0)) (then (return (i32.const 0))))))
      (br $next)))
    (if (i32.lt_s (local.get $gap) (i32.const 0)) (then (return (i32.eq (local.get $n) (i32.const 8)))))
    (if (i32.eq (local.get $n) (i32.const 8)) (then (return (i32.const 0))))
    ;; What follows :: goes to the end, and zeros where it was.
    (local.set $g (i32.shl (i32.sub (local.get $n) (local.get $gap)) (i32.const 1)))
    (local.set $to (i32.add (i32.const 0x300) (i32.shl (local.get $gap) (i32.const 1))))
    (memory.copy (i32.sub (i32.const 0x310) (local.get $g)) (local.get $to) (local.get $g))
    (memory.fill (local.get $to) (i32.const 0) (i32.shl (i32.sub (i32.const 8) (local.get $n)) (i32.const 1)))
    (i32.const 1))

  ;; One to four digits in hex, -1 if there are none, or more.
  (func $hex4 (result i32)
    (local $n i32) (local $count i32)
    (loop $next
      (if (i32.ge_s (call $digit) (i32.const 0)) (then
        (local.set $n (i32.or (i32.shl (local.get $n) (i32.const 4)) (call $digit)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (if (i32.gt_u (local.get $count) (i32.const 4)) (then (return (i32.const -1))))
        (global.set $at (i32.add (global.get $at) (i32.const 1)))
        (br $next))))
    (select (local.get $n) (i32.const -1) (local.get $count)))

  ;; What the next byte is in hex, -1 if it is no digit.
  (func $digit (result i32)
    (local $c i32)
    (local.set $c (call $peek))
    (if (i32.lt_u (i32.sub (local.get $c) (i32.const 0x30)) (i32.const 10)) (then
      (return (i32.sub (local.get $c) (i32.const 0x30)))))
    (local.set $c (i32.sub (i32.or (local.get $c) (i32.const 0x20)) (i32.const 0x57))) ;; a is 10
    (select (local.get $c) (i32.const -1) (i32.lt_u (i32.sub (local.get $c) (i32.const 10)) (i32.const 6))))

  ;; ---------------------------------------------------------------- what hooks ask (§4)

  (func $of_hook (param $hook i32) (result i32)
    (if (i32.eq (local.get $hook) (i32.const 3)) (then (return (call $entries))))
    (if (i32.or (i32.eq (local.get $hook) (i32.const 4)) (i32.eq (local.get $hook) (i32.const 5))) (then
      (return (i32.ne (call $length (i32.const 8)) (i32.const 0))))) ;; the command
    (if (i32.eq (local.get $hook) (i32.const 9)) (then
      (return (i32.ne (call $length (i32.const 2)) (i32.const 0))))) ;; the name
    (if (i32.eq (local.get $hook) (i32.const 7)) (then
      (return (i32.and
        (i32.le_u (call $length (i32.const 2)) (i32.const 65536))
        (i32.le_u (call $length (i32.const 8)) (i32.const 1024))))))
    (i32.const 1))

  ;; Whether ARG is entries with their names.
  (func $entries (result i32)
    (local $e i32) (local $left i32) (local $first i64) (local $end i64) (local $off i64) (local $n i64)
    (if (i64.gt_u (i64.sub (call $i64 (i32.const 32)) (i64.const 1)) (i64.const 255)) (then (return (i32.const 0))))
    (local.set $left (i32.wrap_i64 (call $i64 (i32.const 32))))
    (if (i32.gt_u (i32.shl (local.get $left) (i32.const 5)) (call $length (i32.const 2))) (then (return (i32.const 0))))
    (if (i32.and (call $u32 (i32.const 72)) (i32.const 7)) (then (return (i32.const 0))))
    (local.set $e (call $span (i32.const 2)))
    (local.set $first (i64.extend_i32_u (i32.add (call $u32 (i32.const 72)) (i32.shl (local.get $left) (i32.const 5)))))
    (local.set $end (i64.extend_i32_u (i32.add (call $u32 (i32.const 72)) (call $length (i32.const 2)))))
    (loop $next
      (local.set $off (i64.load32_u (local.get $e)))
      (local.set $n (i64.load32_u offset=4 (local.get $e)))
      (if (i64.lt_u (local.get $off) (local.get $first)) (then (return (i32.const 0))))
      (if (i64.ge_u (i64.add (local.get $off) (local.get $n)) (local.get $end)) (then (return (i32.const 0))))
      (if (i32.eqz (call $name (i32.wrap_i64 (local.get $off)) (i32.wrap_i64 (local.get $n)))) (then (return (i32.const 0))))
      (local.set $e (i32.add (local.get $e) (i32.const 32)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left)))
    (i32.const 1))

  ;; Whether a name is not empty, has neither NUL nor slash, and a NUL behind it.
  (func $name (param $off i32) (param $n i32) (result i32)
    (local $p i32) (local $end i32) (local $c i32)
    (local.set $p (i32.add (global.get $rec) (local.get $off)))
    (local.set $end (i32.add (local.get $p) (local.get $n)))
    (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))
    (loop $next
      (local.set $c (i32.load8_u (local.get $p)))
      (if (i32.or (i32.eqz (local.get $c)) (i32.eq (local.get $c) (i32.const 0x2f))) (then (return (i32.const 0))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $p) (local.get $end))))
    (i32.eqz (i32.load8_u (local.get $end))))

  ;; A line about each entry.
  (func $show_entries
    (local $e i32) (local $left i32)
    (local.set $e (call $span (i32.const 2)))
    (local.set $left (i32.wrap_i64 (call $i64 (i32.const 32))))
    (loop $next
      (call $text (i32.const 0x270))
      (call $unsigned (i64.load32_u offset=8 (local.get $e))) (call $byte (i32.const 0x20))
      (call $signed (i64.load offset=16 (local.get $e))) (call $byte (i32.const 0x20))
      (call $signed (i64.load offset=24 (local.get $e))) (call $byte (i32.const 0x20))
      (call $hex (i32.add (global.get $rec) (i32.load (local.get $e))) (i32.load offset=4 (local.get $e)))
      (local.set $e (i32.add (local.get $e) (i32.const 32)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left))))

  ;; ---------------------------------------------------------------- answers (§6)

  ;; Writes a verdict and a reply. Told is: u8 action, u8 flags, u16 code, u32 n, n new
  ;; bytes, entries. In this language nothing refuses a wrong answer but the host.
  (func $answer (param $hook i32)
    (local $n i32) (local $reply i32) (local $entries i32)
    (local.set $n (i32.load offset=4 (global.get $rec)))
    (local.set $reply (i32.add (global.get $o) (i32.const 8)))
    (local.set $entries (i32.add (global.get $rec) (i32.add (i32.const 8) (local.get $n))))
    ;; code, action and flags lie as they are told but for their order.
    (i32.store16 (global.get $o) (i32.load16_u offset=2 (global.get $rec)))
    (i32.store16 offset=2 (global.get $o) (i32.load16_u (global.get $rec)))
    (global.set $o (local.get $reply))
    ;; A rewrite (3) of data (7) has its new bytes in front of the entries.
    (if (i32.and (i32.eq (local.get $hook) (i32.const 7)) (i32.eq (i32.load8_u (global.get $rec)) (i32.const 3))) (then
      (call $copy (i32.add (global.get $rec) (i32.const 4)) (i32.add (local.get $n) (i32.const 4)))))
    (call $copy (local.get $entries) (i32.sub (global.get $end) (local.get $entries)))
    (i32.store (i32.sub (local.get $reply) (i32.const 4)) (i32.sub (global.get $o) (local.get $reply))))

  ;; ---------------------------------------------------------------- imports (§7)

  ;; The next byte string: where it is, and how long. The absent value has no bytes.
  (func $bytes (result i32 i32)
    (local $n i32)
    (local.set $n (i32.load (global.get $at)))
    (global.set $at (i32.add (global.get $at) (i32.const 4)))
    (global.get $at)
    (if (i32.ne (local.get $n) (i32.const -1)) (then
      (global.set $at (i32.add (global.get $at) (local.get $n)))))
    (local.get $n))

  ;; The next number.
  (func $number (result i64)
    (i64.load (global.get $at))
    (global.set $at (i32.add (global.get $at) (i32.const 8))))

  ;; Says what came of a call, of which n bytes at $box + 0x10000 came out.
  (func $result (param $code i64) (param $n i32)
    (call $line (i32.const 0x278) (local.get $code))
    (if (i32.and (i64.ge_s (local.get $code) (i64.const 0)) (i32.ne (local.get $n) (i32.const 0))) (then
      (call $text (i32.const 0x288))
      (call $hex (i32.const 0x11000) (local.get $n)))))

  ;; Says what came of a call that returns the number of bytes that it wrote.
  (func $written (param $code i64) (call $result (local.get $code) (i32.wrap_i64 (local.get $code))))

  (func $import (param $number i32)
    (local $n i32)
    (block $fetch (block $digest (block $stat (block $verify (block $random (block $metric
    (block $cas (block $incr (block $set (block $get (block $log
      (br_table $log $get $set $incr $cas $metric $random $verify $stat $digest $fetch (local.get $number)))
      (call $log (i32.wrap_i64 (call $number)) (call $bytes))
      (return (call $result (i64.const 0) (i32.const 0))))
      (return (call $written (call $kv_get (call $bytes) (i32.const 0x11000) (i32.const 4096)))))
      (return (call $result (i64.extend_i32_s (call $kv_set (call $bytes) (call $bytes) (call $number))) (i32.const 0))))
      (return (call $result (i64.extend_i32_s
        (call $kv_incr (call $bytes) (call $number) (call $number) (i32.const 0x11000))) (i32.const 8))))
      (return (call $result (i64.extend_i32_s
        (call $kv_cas (call $bytes) (call $bytes) (call $bytes) (call $number))) (i32.const 0))))
      (call $metric (call $bytes) (i32.wrap_i64 (call $number)) (call $number))
      (return (call $result (i64.const 0) (i32.const 0))))
      (local.set $n (i32.wrap_i64 (call $number)))
      (call $random (i32.const 0x11000) (local.get $n))
      (return (call $result (i64.const 0) (local.get $n))))
      (return (call $result (i64.extend_i32_s (call $pw_verify (call $bytes))) (i32.const 0))))
      (return (call $written (call $stat (call $bytes) (i32.const 0x11000) (i32.const 32)))))
      (return (call $written (call $digest (call $bytes) (i32.const 0x11000) (i32.const 128)))))
    (call $written (call $request (i32.const 0x11000) (i32.const 0x20000))))

  ;; Makes a request of three byte strings, METHOD (1), URL (2) and BODY (4), and sends it.
  (func $request (param $to i32) (param $room i32) (result i64)
    (local $answer i32)
    (local.set $answer (global.get $o)) ;; for as long as the request is written
    (global.set $o (global.get $req))
    (call $entry (i32.const 1) (call $bytes))
    (call $entry (i32.const 2) (call $bytes))
    (call $entry (i32.const 4) (call $bytes))
    (call $fetch (global.get $req) (i32.sub (global.get $o) (global.get $req)) (local.get $to) (local.get $room))
    (global.set $o (local.get $answer)))

  ;; An entry of a request: key, length, bytes. One without bytes is left out.
  (func $entry (param $key i32) (param $from i32) (param $n i32)
    (if (i32.or (i32.eqz (local.get $n)) (i32.eq (local.get $n) (i32.const -1))) (then (return)))
    (i32.store (global.get $o) (local.get $key))
    (i32.store offset=4 (global.get $o) (local.get $n))
    (global.set $o (i32.add (global.get $o) (i32.const 8)))
    (call $copy (local.get $from) (local.get $n)))
)
