;; The policy of write-once.wat for another host: the question is the input, the answer
;; is the output, 8 bytes of verdict and the reply behind them, or nothing.
;; Build it with: wat2wasm write-once-extism.wat
(module
  (import "extism:host/env" "input_load_u8" (func $load8 (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func $load64 (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)
  (data (i32.const 64) "\01\00\15\00archive is write-once")

  (func (export "fs") (result i32)
    (local $op i32) (local $path i64) (local $out i64) (local $i i32)
    ;; A load of 64 bits has the fewest calls: kind, op and size; flags and spans; PATH.
    (local.set $op (i32.wrap_i64 (i64.shr_u (call $load64 (i64.const 0)) (i64.const 48))))
    (if (i32.gt_u (local.get $op) (i32.const 31)) (then (return (i32.const 0))))
    (if (i32.eqz (i32.and (i32.shl (i32.const 1) (local.get $op)) (i32.const 0xfb0)))
      (then (return (i32.const 0))))
    (if (i64.eqz (i64.and (call $load64 (i64.const 48)) (i64.const 16))) (then (return (i32.const 0))))
    (local.set $path (call $load64 (i64.const 64)))
    (if (i64.lt_u (i64.shr_u (local.get $path) (i64.const 32)) (i64.const 9)) (then (return (i32.const 0))))
    (local.set $path (i64.and (local.get $path) (i64.const 0xffffffff)))
    (if (i64.ne (call $load64 (local.get $path)) (i64.const 0x657669686372612f))
      (then (return (i32.const 0))))
    (if (i32.ne (call $load8 (i64.add (local.get $path) (i64.const 8))) (i32.const 47))
      (then (return (i32.const 0))))
    (local.set $out (call $alloc (i64.const 33)))
    (call $store64 (local.get $out) (i64.const 0x00000019_00020000))
    (loop $next ;; 24 bytes of the reply by eights, the last one by itself
      (call $store64 (i64.add (local.get $out) (i64.extend_i32_u (i32.add (local.get $i) (i32.const 8))))
        (i64.load (i32.add (i32.const 64) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 24))))
    (call $store8 (i64.add (local.get $out) (i64.const 32)) (i32.load8_u (i32.const 88)))
    (call $output (local.get $out) (i64.const 33))
    (i32.const 0)))
