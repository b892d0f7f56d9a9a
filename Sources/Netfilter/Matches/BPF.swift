/// A filter program of the classic BPF machine, run on the packet from its IP header on
/// (`struct xt_bpf_info_v1`, linux/netfilter/xt_bpf.h). Programs that are pinned in a file are not for this type: their
/// rules need a descriptor of the file when they are made.
public struct BPF: Match {
  public let program: [Instruction]

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
  }
}

// MARK: Syntax

extension BPF {
  public static let definition = ExtensionDefinition(
    "bpf", summary: "filter program", revisions: [1],
    options: [
      OptionSpec(
        "--bytecode", .custom("COUNT,CODE JT JF K[,CODE JT JF K]…"), excludes: ["--object-pinned"],
        "a program as nfbpf_compile(8) prints it"),
      OptionSpec("--object-pinned", .custom("FILE"), excludes: ["--bytecode"], "not supported: a program in a file"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if options.has("--object-pinned") {
      throw options.error(
        "--object-pinned", "programs pinned in a file are not supported: the rule needs a descriptor of the open file",
        hint: "write the program with --bytecode")
    }
    guard let token = options.token("--bytecode") else { throw SyntaxError("bpf needs --bytecode PROGRAM") }
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

  /// Without a blank before it and with a zero byte at its end, as iptables has it.
  public func list(to out: inout RuleWriter) {
    out.text.write("match bpf ")
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
  public func encode(to out: inout ByteWriter, family: Family) {
    out.zeros(2)  // the program stands here
    out.write(UInt16(program.count))
    out.zeros(4)  // no descriptor
    for instruction in program {
      out.write(instruction.code)
      out.write(instruction.jumpTrue)
      out.write(instruction.jumpFalse)
      out.write(instruction.operand)
    }
    out.zeros(8 * (Self.maxInstructions - program.count))
    out.zeros(8)  // the kernel's pointer
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    try bytes.zeros("mode", 2)
    let count = Int(try bytes.uint16("bpf_program_num_elem"))
    try bytes.zeros("fd", 4)
    guard count <= Self.maxInstructions else { throw bytes.invalid("bpf_program_num_elem") }
    var program: [Instruction] = []
    for _ in 0..<count {
      program.append(
        Instruction(
          try bytes.uint16("code"), try bytes.uint8("jt"), try bytes.uint8("jf"), try bytes.uint32("k")))
    }
    try bytes.zeros("bpf_program", 8 * (Self.maxInstructions - count))
    try bytes.zeros("filter", 8)
    guard let value = BPF(program) else { throw bytes.invalid("bpf_program_num_elem") }
    self = value
  }
}

// MARK: Meaning

extension BPF {
  public func matches(_ packet: Packet) -> Answer { BPFMachine.answer(program, packet) }
}
