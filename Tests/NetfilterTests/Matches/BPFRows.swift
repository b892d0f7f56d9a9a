import Netfilter
import Testing

@Suite struct BPFRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m bpf --bytecode \"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\"",
      wire: [0, 0, 4] + zeros(5) + [48, 0, 0, 0, 9, 0, 0, 0, 21, 0, 0, 1, 6, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 6]
        + zeros(495)),
    Row(
      .ipv6, "-m bpf --bytecode \"1,6 0 0 4294967295,\"", prints: "-m bpf --bytecode \"1,6 0 0 4294967295\"",
      wire: [0, 0, 1] + zeros(5) + [6, 0, 0, 0, 255, 255, 255, 255] + zeros(512)),
    Row(
      .ipv4, "-m bpf --bytecode \"1,06 00 0   010\"", prints: "-m bpf --bytecode \"1,6 0 0 10\"",
      wire: [0, 0, 1] + zeros(5) + [6, 0, 0, 0, 10] + zeros(515)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m bpf --bytecode \"2,6 0 0 1\"", refused: "--bytecode: 2 instructions are announced, 1 given"),
    Row(.ipv4, "-m bpf --bytecode \"1,6 0 0 1,6 0 0 0\"", refused: "--bytecode: only 1 instructions are announced"),
    Row(
      .ipv4, "-m bpf --bytecode \"0,6 0 0 1\"", refused: "--bytecode: '0' is not a number of instructions"),
    Row(.ipv4, "-m bpf --bytecode \"1\"", refused: "--bytecode: 1 instructions are announced, 0 given"),
    Row(.ipv4, "-m bpf --bytecode \"1,6 0 0\"", refused: "--bytecode: '6 0 0' is not an instruction"),
    Row(.ipv4, "-m bpf --bytecode \"1,6 0 0 1,,\"", refused: "--bytecode: only 1 instructions are announced"),
    Row(.ipv4, "-m bpf --bytecode \"1,6 0 0 x\"", refused: "--bytecode: '6 0 0 x' is not an instruction"),
    Row(
      .ipv4, "-m bpf --bytecode \"65,6 0 0 1\"",
      refused: "--bytecode: '65' is not a number of instructions from 1 to 64"),
    Row(
      .ipv4, "-m bpf --object-pinned /sys/fs/bpf/x",
      refused:
        "--object-pinned: programs pinned in a file are not supported: the rule needs a descriptor of the open file"),
    Row(.ipv4, "-m bpf", refused: "bpf needs --bytecode PROGRAM"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
