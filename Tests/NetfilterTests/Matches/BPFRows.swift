import Netfilter
import Testing

@Suite struct BPFRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m bpf --bytecode \"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\"",
      wire: [0, 0, 4] + zeros(5) + [48, 0, 0, 0, 9, 0, 0, 0, 21, 0, 0, 1, 6, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 6]
        + zeros(495), lists: Listing(bare: "match bpf 48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\u{0}")),
    Row(
      .ipv6, "-m bpf --bytecode \"1,6 0 0 4294967295,\"", prints: "-m bpf --bytecode \"1,6 0 0 4294967295\"",
      wire: [0, 0, 1] + zeros(5) + [6, 0, 0, 0, 255, 255, 255, 255] + zeros(512)),
    Row(
      .ipv4, "-m bpf --bytecode \"1,06 00 0   010\"", prints: "-m bpf --bytecode \"1,6 0 0 10\"",
      wire: [0, 0, 1] + zeros(5) + [6, 0, 0, 0, 10] + zeros(515)),
    Row(
      .ipv4, "-m bpf --object-pinned /sys/fs/bpf/x.y",
      wire: [1] + zeros(7) + Array("/sys/fs/bpf/x.y".utf8) + zeros(505),
      lists: Listing(bare: "match bpf pinned /sys/fs/bpf/x.y")),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m bpf --bytecode \"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\"", .yes) {
      $0.bytes = ipv4Bytes(6, zeros(20))
    },
    PacketRow(.ipv4, "-m bpf --bytecode \"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\"", .no) {
      $0.bytes = ipv4Bytes(17, zeros(20))
    },
    PacketRow(.ipv4, "-m bpf --bytecode \"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\"", .depends(on: "the packet's bytes")),
    PacketRow(.ipv4, "-m bpf --bytecode \"1,6 0 0 1\"", .yes),
    PacketRow(.ipv4, "-m bpf --object-pinned /sys/fs/bpf/x", .depends(on: "the program in a file")),
    PacketRow(.ipv6, "-m bpf --bytecode \"1,6 0 0 0\"", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  /// A UDP packet from port 1024 to 53 that carries 1 2 3 4, with the mark 5, run through each kind of instruction.
  @Test(
    arguments: [
      ("128 0 0 0,22 0 0 0", .yes),  // ld len
      ("128 0 0 0,21 0 1 32,6 0 0 1,6 0 0 0", .yes),
      ("129 0 0 0,135 0 0 0,21 0 1 32,6 0 0 1,6 0 0 0", .yes),  // ldx len; txa
      ("177 0 0 0,72 0 0 2,21 0 1 53,6 0 0 1,6 0 0 0", .yes),  // ldx 4*([0]&0xf); ldh [x + 2]
      ("32 0 0 28,21 0 1 16909060,6 0 0 1,6 0 0 0", .yes),  // ld [28]
      ("32 0 0 29,6 0 0 1", .no),  // one byte too far
      ("1 0 0 20,80 0 0 11,21 0 1 4,6 0 0 1,6 0 0 0", .yes),  // ldb [x + 11]
      ("177 0 0 32,6 0 0 1", .no),
      ("32 0 0 4293918748,21 0 1 16909060,6 0 0 1,6 0 0 0", .yes),  // from SKF_NET_OFF
      ("48 0 0 2147483648,6 0 0 1", .no),
      ("40 0 0 4294963200,21 0 1 2048,6 0 0 1,6 0 0 0", .yes),  // the network protocol
      ("32 0 0 4294963220,21 0 1 5,6 0 0 1,6 0 0 0", .yes),  // the mark
      ("0 0 0 6,1 0 0 3,32 0 0 4294963240,21 0 1 5,6 0 0 1,6 0 0 0", .yes),  // a ^ x
      ("0 0 0 7,2 0 0 3,0 0 0 0,96 0 0 3,22 0 0 0", .yes),  // st M[3]; ld M[3]
      ("1 0 0 9,3 0 0 2,97 0 0 2,135 0 0 0,22 0 0 0", .yes),  // stx M[2]; ldx M[2]; txa
      ("0 0 0 10,4 0 0 5,20 0 0 3,36 0 0 2,84 0 0 7,22 0 0 0", .no),  // (10 + 5 - 3) * 2 & 7
      ("0 0 0 40,52 0 0 6,148 0 0 4,21 0 1 2,6 0 0 1,6 0 0 0", .yes),  // 40 / 6 % 4
      ("0 0 0 1,100 0 0 4,116 0 0 3,164 0 0 2,22 0 0 0", .no),  // (1 << 4 >> 3) ^ 2
      ("0 0 0 1,132 0 0 0,37 1 0 4294967294,6 0 0 0,6 0 0 1", .yes),  // -1 is the greatest number
      ("1 0 0 0,0 0 0 1,60 0 0 0,6 0 0 1", .no),  // a division by X, which is 0
      ("1 0 0 0,0 0 0 1,156 0 0 0,6 0 0 1", .no),
      ("0 0 0 6,1 0 0 33,108 0 0 0,21 0 1 12,6 0 0 1,6 0 0 0", .yes),  // lsh x, of which five bits count
      ("0 0 0 6,69 0 1 2,6 0 0 1,6 0 0 0", .yes),  // jset
      ("0 0 0 6,53 0 1 7,6 0 0 1,6 0 0 0", .no),  // jge
      ("0 0 0 6,1 0 0 5,45 0 1 0,6 0 0 1,6 0 0 0", .yes),  // jgt x
      ("5 0 0 1,6 0 0 0,6 0 0 1", .yes),  // ja
      ("0 0 0 3,7 0 0 0,12 0 0 0,21 0 1 6,68 0 0 4,22 0 0 0", .yes),  // tax; add x; or
    ] as [(String, Answer)])
  func instructions(_ program: String, _ answer: Answer) throws {
    #expect(try Self.answer(program) == answer)
  }

  /// What is not in the packet, and what the kernel refuses.
  @Test(
    arguments: [
      ("48 0 0 4292870144,6 0 0 1", "the link-layer header"),
      ("32 0 0 4294963204,22 0 0 0", "whom the frame was for"),
      ("32 0 0 4294963256,22 0 0 0", "what the kernel knows of the packet"),
      ("0 0 0 1", "a program that the kernel does not take"),
      ("5 0 0 4294967295,6 0 0 1", "a program that the kernel does not take"),
      ("96 0 0 16,22 0 0 0", "a program that the kernel does not take"),
      ("2 0 0 16,22 0 0 0", "a program that the kernel does not take"),
      ("52 0 0 0,22 0 0 0", "a program that the kernel does not take"),
      ("100 0 0 32,22 0 0 0", "a program that the kernel does not take"),
      ("65535 0 0 0,22 0 0 0", "a program that the kernel does not take"),
    ] as [(String, StaticString)])
  func unknown(_ program: String, _ part: StaticString) throws {
    #expect(try Self.answer(program) == .depends(on: part))
  }

  private static func answer(_ text: String) throws -> Answer {
    let program = text.split(separator: ",").map { line in
      let words = line.split(separator: " ").map { UInt32($0)! }
      return BPF.Instruction(UInt16(words[0]), UInt8(words[1]), UInt8(words[2]), words[3])
    }
    var packet = Packet.example(.ipv4)
    packet.bytes = ipv4Bytes(17, [4, 0, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4])
    packet.mark = 5
    return try #require(BPF(program)).matches(packet)
  }

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
    Row(.ipv4, "-m bpf --object-pinned \"\"", refused: "--object-pinned: a path has 1 to 511 bytes"),
    Row(
      .ipv4, "-m bpf --object-pinned /\(String(repeating: "x", count: 511))",
      refused: "--object-pinned: a path has 1 to 511 bytes"),
    Row(.ipv4, "-m bpf", refused: "bpf needs --bytecode PROGRAM or --object-pinned FILE"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables leaves the number of a descriptor that it has closed since.
  @Test func theDescriptorOfAPinnedProgramIsKept() throws {
    func wire(_ descriptor: UInt8, mode: UInt8 = 1, _ rest: [UInt8] = zeros(508)) -> [UInt8] {
      [mode, 0, 0, 0, descriptor, 0, 0, 0] + Array("/a/b".utf8) + rest + zeros(8)
    }
    func decode(_ bytes: [UInt8]) -> any Match {
      Registry.standard.decodeMatch(kernelName: "bpf", revision: 1, family: .ipv4, payload: bytes.span.bytes)
    }
    let match = try #require(decode(wire(4)) as? BPF)
    #expect(match.pinned?.path == "/a/b")
    var out = ByteWriter()
    match.encode(to: &out, family: .ipv4)
    #expect(out.bytes == wire(4))
    #expect(decode(wire(4, mode: 2)) is OpaqueMatch)
    #expect(decode(wire(4, [0, 1] + zeros(506))) is OpaqueMatch)
    #expect(decode(wire(4, [0xff] + zeros(507))) is OpaqueMatch)
    #expect(decode(wire(4, ones(508))) is OpaqueMatch)
  }
}
