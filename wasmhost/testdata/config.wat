;; Takes the settings "ok" alone; refuses others with the text "bad".
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (func (export "edgeftp_fs") (param i32) (result i64) (i64.const 0))
  (data (i32.const 64) "\01\00\03\00bad")
  (func (export "edgeftp_config") (param $len i32) (result i64)
    (if (i32.and (i32.eq (local.get $len) (i32.const 2))
                 (i32.eq (i32.load16_u (i32.const 4096)) (i32.const 0x6b6f)))
      (then (return (i64.const 0))))
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 7))
    (i64.const 0x00000007000201f4))
)
