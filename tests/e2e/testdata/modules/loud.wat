;; Says something on its standard error and traps, for paths that end with "loud".
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (data (i32.const 64) "\50\00\00\00\1c\00\00\00")
  (data (i32.const 80) "fault: no map (main.go:41:7)")
  (func (export "edgeftp_fs") (param i32) (result i64)
    (if (i32.ne (i32.load offset=4092 (i32.add (i32.load (i32.const 4160)) (i32.load (i32.const 4164)))) (i32.const 0x64756f6c))
      (then (return (i64.const 0))))
    (drop (call $write (i32.const 2) (i32.const 64) (i32.const 1) (i32.const 72)))
    (unreachable))
)
