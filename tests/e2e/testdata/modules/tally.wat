;; Counts the questions about paths that end with "ally" in its key-value space, and
;; denies them with the text "count NN".
(module
  (import "edgeftp" "kv_incr" (func $incr (param i32 i32 i64 i64 i32) (result i32)))
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (data (i32.const 64) "\01\00\08\00count 00")
  (data (i32.const 96) "n")
  (func (export "edgeftp_fs") (param i32) (result i64)
    (local $n i32)
    ;; the last four bytes of PATH (span 1)
    (if (i32.ne (i32.load offset=4092 (i32.add (i32.load (i32.const 4160)) (i32.load (i32.const 4164)))) (i32.const 0x796c6c61))
      (then (return (i64.const 0))))
    (if (call $incr (i32.const 96) (i32.const 1) (i64.const 1) (i64.const 0) (i32.const 128))
      (then (unreachable)))
    (local.set $n (i32.load (i32.const 128)))
    (i32.store8 (i32.const 74) (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $n) (i32.const 10)) (i32.const 10))))
    (i32.store8 (i32.const 75) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 12))
    (i64.const 0x0000000c00020226)) ;; 550
)
