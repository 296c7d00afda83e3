;; A policy with a fault for each thing that the workshop finds. What it does is said by
;; the first letter of the path; of a rename it looks at the old name alone.
(module
  (import "edgeftp" "log" (func $log (param i32 i32 i32)))
  (import "edgeftp" "kv_incr" (func $kv_incr (param i32 i32 i64 i64 i32) (result i32)))
  (import "edgeftp" "fetch" (func $fetch (param i32 i32 i32 i32) (result i64)))
  (memory (export "memory") 2 512)
  (data (i32.const 64) "\01\00\09\00forbidden")
  (data (i32.const 128) "hits")
  (data (i32.const 144) "one more")
  (data (i32.const 160) "an event")
  (data (i32.const 192) "\02\00\00\00\19\00\00\00https://idp.example.org/u")
  (global $seen (mut i32) (i32.const 0))
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (func (export "edgeftp_config") (param i32) (result i64) (i64.const 0))
  (func $letter (result i32) ;; the byte behind the slash of PATH
    (i32.load8_u (i32.add (i32.const 4097) (i32.load (i32.const 4160)))))
  (func $is (param $c i32) (result i32) (i32.eq (call $letter) (local.get $c)))
  (func $deny (param $code i64) (result i64)
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 13))
    (i64.or (i64.const 0x0000000d00020000) (local.get $code)))
  (func $count (result i64)
    (drop (call $kv_incr (i32.const 128) (i32.const 4) (i64.const 1) (i64.const 0) (i32.const 32)))
    (call $log (i32.const 1) (i32.const 144) (i32.const 8))
    (i64.const 0))
  (func $spin (result i64) (loop $again (br $again)) (i64.const 0))
  (func $recurse (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $recurse (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0))))
  (func $decide (export "edgeftp_fs") (param i32) (result i64)
    (if (call $is (i32.const 100)) (then (return (call $deny (i64.const 553)))))  ;; d
    (if (call $is (i32.const 99)) (then (return (call $deny (i64.const 999)))))   ;; c
    (if (call $is (i32.const 107)) (then (return (call $count))))                 ;; k
    (if (call $is (i32.const 108)) (then (return (call $spin))))                  ;; l
    (if (call $is (i32.const 114)) (then (drop (call $recurse (i32.const 9)))))   ;; r
    (if (call $is (i32.const 116)) (then unreachable))                            ;; t
    (if (call $is (i32.const 103)) (then (drop (memory.grow (i32.const 1)))))     ;; g
    (if (call $is (i32.const 109)) (then                                          ;; m
      (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
      (return (select (i64.const 0x20000) (i64.const 0) (i32.gt_u (global.get $seen) (i32.const 1))))))
    (i64.const 0))
  (func (export "edgeftp_auth") (param i32) (result i64)
    (select (i64.const 0x10000) (i64.const 0)
      (i64.gt_s (call $fetch (i32.const 192) (i32.const 33) (i32.const 65536) (i32.const 4096)) (i64.const 0))))
  (func (export "edgeftp_event") (param i32) (result i64)
    (call $log (i32.const 0) (i32.const 160) (i32.const 8))
    (i64.const 0)))
