// What every module exports beside its hooks. edgeftp policy build compiles this file
// beside policy.ts, so that no policy has to say it.
export { edgeftp_abi_v1 } from "edgeftp";
