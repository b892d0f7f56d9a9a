/// A filter program, run on the packet from its IP header on (`struct xt_bpf_info_v1`, linux/netfilter/xt_bpf.h): one of
/// the classic BPF machine that stands in the rule, or any that is pinned in a file.
public struct BPF: Match {
  /// Empty where the program is pinned.
  public let program: [Instruction]
  public let pinned: PinnedProgram?
  /// A descriptor of the program that made the rule, which the kernel keeps and does not look at.
  private var descriptor: UInt32 = 0

  /// `struct sock_filter` (linux/filter.h).
  public struct Instruction: Hashable, Sendable {
    public var code: UInt16
    /// Instructions to skip when a comparison holds, and when it does not.
    public var jumpTrue: UInt8
    public var jumpFalse: UInt8
    public var operand: UInt32

    public init(_ code: UInt16, _ jumpTrue: UInt8, _ jumpFalse: UInt8, _ operand: UInt32) {
      self.code = code
      self.jumpTrue = jumpTrue
      self.jumpFalse = jumpFalse
      self.operand = operand
    }
  }

  /// `XT_BPF_MAX_NUM_INSTR`.
  public static let maxInstructions = 64

  /// nil for no instructions or more than 64. Whether they make a program only the kernel says.
  public init?(_ program: [Instruction]) {
    guard (1...Self.maxInstructions).contains(program.count) else { return nil }
    self.program = program
    pinned = nil
  }

  public init(_ pinned: PinnedProgram) {
    program = []
    self.pinned = pinned
  }

  /// The path of a program in the BPF file system, 1 to 511 bytes. The kernel looks for it when the rule is made.
  public struct PinnedProgram: Hashable, Sendable {
    public static let maxBytes = 511
    public let path: String

    /// nil when the path is empty, too long, or holds a line feed or zero.
    public init?(_ path: String) {
      guard (1...Self.maxBytes).contains(path.utf8.count), !path.utf8.contains(where: { $0 == 0 || $0 == 10 }) else {
        return nil
      }
      self.path = path
    }
  }
}

// MARK: Syntax

extension BPF {
  public static let definition = ExtensionDefinition(
    "bpf", summary: "filter program", revisions: [0, 1],
    options: [
      OptionSpec(
        "--bytecode", .custom("COUNT,CODE JT JF K[,CODE JT JF K]…"), excludes: ["--object-pinned"],
        "a program as nfbpf_compile(8) prints it"),
      OptionSpec("--object-pinned", .custom("FILE"), excludes: ["--bytecode"], "a program in the BPF file system"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let token = options.token("--object-pinned") {
      guard let pinned = String(validating: token.bytes, as: UTF8.self).flatMap({ PinnedProgram($0) }) else {
        throw options.error(
          "--object-pinned", "a path has 1 to \(PinnedProgram.maxBytes) bytes of UTF-8 and no line end")
      }
      self.init(pinned)
      return
    }
    guard let token = options.token("--bytecode") else {
      throw SyntaxError("bpf needs --bytecode PROGRAM or --object-pinned FILE")
    }
    var count: Int?
    var program: [Instruction] = []
    var hasEnded = false
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      guard let expected = count else {
        count = try Self.count(part)
        return
      }
      guard !hasEnded, program.count < expected || part.count == 0 else {
        throw SyntaxError(at: part, "--bytecode: only \(expected) instructions are announced")
      }
      if part.count == 0 {  // a comma may stand at the end
        hasEnded = true
      } else {
        program.append(try Self.instruction(part))
      }
    }
    guard program.count == count, let value = BPF(program) else {
      throw options.error("--bytecode", "\(count ?? 0) instructions are announced, \(program.count) given")
    }
    self = value
  }

  private static func count(_ token: Token) throws(SyntaxError) -> Int {
    guard let number = decimal(token, UInt16.self), (1...maxInstructions).contains(Int(number)) else {
      throw SyntaxError(
        at: token, "--bytecode: '\(token.string)' is not a number of instructions from 1 to \(maxInstructions)",
        hint: "a program begins with the number of its instructions and a comma")
    }
    return Int(number)
  }

  private static func instruction(_ token: Token) throws(SyntaxError) -> Instruction {
    var words: [Token] = []
    token.forEachPart(separatedBy: UInt8(ascii: " ")) { if $0.count > 0 { words.append($0) } }
    guard words.count == 4, let code = decimal(words[0], UInt16.self), let jumpTrue = decimal(words[1], UInt8.self),
      let jumpFalse = decimal(words[2], UInt8.self), let operand = decimal(words[3], UInt32.self)
    else {
      throw SyntaxError(
        at: token, "--bytecode: '\(token.string)' is not an instruction", hint: "an instruction is four numbers")
    }
    return Instruction(code, jumpTrue, jumpFalse, operand)
  }

  /// Decimal even after a zero.
  private static func decimal<Number: FixedWidthInteger>(_ token: Token, _ type: Number.Type) -> Number? {
    guard token.bytes.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    return Number(token.string)
  }

  public func print(to out: inout RuleWriter) {
    if let pinned {
      out.option("--object-pinned")
      return out.bare(pinned.path)
    }
    out.option("--bytecode")
    out.text.write(" \"")
    out.text.write(program.count)
    for instruction in program {
      out.text.write(byte: UInt8(ascii: ","))
      out.text.write(instruction.code)
      out.number(instruction.jumpTrue)
      out.number(instruction.jumpFalse)
      out.number(instruction.operand)
    }
    out.text.write(byte: UInt8(ascii: "\""))
  }

  /// Without a blank before it, and with a zero byte at the end of a program, as iptables has it.
  public func list(to out: inout RuleWriter) {
    out.text.write("match bpf ")
    if let pinned {
      out.text.write("pinned ")
      return out.text.write(pinned.path)
    }
    for (place, instruction) in program.enumerated() {
      if place > 0 { out.text.write(",") }
      out.text.write(instruction.code)
      out.number(instruction.jumpTrue)
      out.number(instruction.jumpFalse)
      out.number(instruction.operand)
    }
    out.text.write(byte: 0)
  }
}

// MARK: Kernel bytes

extension BPF {
  private static let isPinned: UInt16 = 1  // XT_BPF_MODE_PATH_PINNED
  /// The field of the program or the path.
  private static let fieldSize = 8 * maxInstructions

  public func encode(to out: inout ByteWriter, family: Family) {
    if let pinned {
      out.write(Self.isPinned)
      out.zeros(2)  // no instructions
      out.write(descriptor)
      out.write(text: pinned.path, size: Self.fieldSize)
      return out.zeros(8)  // the kernel's pointer
    }
    out.zeros(2)  // the program stands here
    out.write(UInt16(program.count))
    out.zeros(4)  // no descriptor
    encodeProgram(to: &out)
  }

  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 0, pinned == nil else { return false }
    out.write(UInt16(program.count))
    out.zeros(2)
    encodeProgram(to: &out)
    out.zeros(4)
    return true
  }

  private func encodeProgram(to out: inout ByteWriter) {
    for instruction in program {
      out.write(instruction.code)
      out.write(instruction.jumpTrue)
      out.write(instruction.jumpFalse)
      out.write(instruction.operand)
    }
    out.zeros(Self.fieldSize - 8 * program.count)
    out.zeros(8)  // the kernel's pointer
  }

  /// Revision 0 has the program alone.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    if revision > 0 {
      let mode = try bytes.uint16("mode")
      guard mode <= Self.isPinned else { throw bytes.invalid("mode") }
      guard mode != Self.isPinned else {
        self = try Self.pinned(&bytes)
        return
      }
    }
    let count = Int(try bytes.uint16("bpf_program_num_elem"))
    try bytes.zeros("fd", revision > 0 ? 4 : 2)
    guard count <= Self.maxInstructions else { throw bytes.invalid("bpf_program_num_elem") }
    var program: [Instruction] = []
    for _ in 0..<count {
      program.append(
        Instruction(
          try bytes.uint16("code"), try bytes.uint8("jt"), try bytes.uint8("jf"), try bytes.uint32("k")))
    }
    try bytes.zeros("bpf_program", 8 * (Self.maxInstructions - count))
    try bytes.zeros("filter", revision > 0 ? 8 : 12)
    guard let value = BPF(program) else { throw bytes.invalid("bpf_program_num_elem") }
    self = value
  }

  private static func pinned(_ bytes: inout ByteReader) throws(WireError) -> BPF {
    try bytes.zeros("bpf_program_num_elem", 2)
    let descriptor = try bytes.uint32("fd")
    let field = try bytes.raw("path", count: fieldSize)
    let path = field.prefix { $0 != 0 }
    guard field[path.count...].allSatisfy({ $0 == 0 }),
      let text = String(validating: path, as: UTF8.self), let pinned = PinnedProgram(text)
    else { throw bytes.invalid("path") }
    try bytes.zeros("filter", 8)
    var result = BPF(pinned)
    result.descriptor = descriptor
    return result
  }
}

// MARK: Meaning

extension BPF {
  public func matches(_ packet: Packet) -> Answer {
    pinned == nil ? BPFMachine.answer(program, packet) : .depends(on: "the program in a file")
  }
}
