//! AWS Batch: the simulator itself, and engines that talk to it with the real SDK.

mod batch {
    mod end_to_end;
    mod engine;
    mod simulator;
}
