;; Wants another page of memory for every hundredth question, and never gives one back.
(module
  (memory (export "memory") 1 256)
  (global $asked (mut i32) (i32.const 0))
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
    (if (i32.eqz (i32.rem_u (global.get $asked) (i32.const 100)))
      (then (drop (memory.grow (i32.const 1)))))
    (i64.const 0)))
