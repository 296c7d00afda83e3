;; Denies when it was called before: one call by its memory, the next by a global.
(module
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i32.store (i32.const 8) (i32.const 77)) ;; to be kept
    (i64.const 0x0000100000001000))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (local $before i32)
    (local.set $before (i32.or (i32.load (i32.const 4)) (global.get $calls)))
    (i32.store (i32.const 4) (i32.const 1))
    (global.set $calls (i32.const 1))
    (if (i32.ne (i32.load (i32.const 8)) (i32.const 77)) (then unreachable))
    (select (i64.const 0x20000) (i64.const 0) (local.get $before))))
