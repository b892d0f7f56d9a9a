/// The classic BPF machine, run on the bytes of a packet as the kernel runs it in a rule (linux/filter.h;
/// net/core/filter.c).
struct BPFMachine {
  private let program: [BPF.Instruction]
  private let packet: Packet
  private var accumulator: UInt32 = 0
  private var index: UInt32 = 0
  private var memory = [UInt32](repeating: 0, count: memoryWords)

  /// `BPF_MEMWORDS`.
  private static let memoryWords = 16

  /// How an instruction ends.
  private enum Step {
    case next
    case skip(Int)
    case returned(UInt32)
    case unknown(StaticString)
  }

  /// What stops a program that has no answer.
  private static let refused: StaticString = "a program that the kernel does not take"
  private static let unknownBytes: StaticString = "the packet's bytes"

  private init(_ program: [BPF.Instruction], _ packet: Packet) {
    (self.program, self.packet) = (program, packet)
  }

  /// Whether the program returns something other than 0.
  static func answer(_ program: [BPF.Instruction], _ packet: Packet) -> Answer {
    var machine = BPFMachine(program, packet)
    return machine.run()
  }

  /// Jumps lead forward only, so it ends.
  private mutating func run() -> Answer {
    var place = 0
    while place < program.count {
      switch step(program[place]) {
      case .next: place += 1
      case .skip(let count): place += 1 + count
      case .returned(let value): return Answer(value != 0)
      case .unknown(let part): return .depends(on: part)
      }
    }
    return .depends(on: Self.refused)
  }

  /// An instruction's class stands in the lowest three bits.
  private mutating func step(_ instruction: BPF.Instruction) -> Step {
    switch instruction.code & 0x07 {
    case 0x00: load(instruction)
    case 0x01: loadIndex(instruction)
    case 0x02: store(instruction, accumulator)
    case 0x03: store(instruction, index)
    case 0x04: calculate(instruction)
    case 0x05: jump(instruction)
    case 0x06: end(instruction)
    default: move(instruction)
    }
  }

  private mutating func load(_ instruction: BPF.Instruction) -> Step {
    let operand = instruction.operand
    switch instruction.code {
    case 0x00: return set(operand)  // ld #k
    case 0x80:  // ld len
      guard let length else { return .unknown(Self.lengthPhrase) }
      return set(length)
    case 0x60:  // ld M[k]
      guard let word = word(operand) else { return .unknown(Self.refused) }
      return set(word)
    case 0x20, 0x28, 0x30:  // ld, ldh, ldb [k]
      if let part = Ancillary(operand) {
        guard let fact = fact(part) else { return .unknown(part.phrase) }
        return set(fact)
      }
      return load(at: operand, size: Self.size(instruction.code))
    case 0x40, 0x48, 0x50:  // ld, ldh, ldb [x + k]
      return load(at: index &+ operand, size: Self.size(instruction.code))
    default: return .unknown(Self.refused)
    }
  }

  private mutating func load(at offset: UInt32, size: Int) -> Step {
    switch bytes(at: offset, size) {
    case .value(let value): set(value)
    case .outside: .returned(0)
    case .unknown(let part): .unknown(part)
    }
  }

  private mutating func loadIndex(_ instruction: BPF.Instruction) -> Step {
    switch instruction.code {
    case 0x01: index = instruction.operand  // ldx #k
    case 0x81:  // ldx len
      guard let length else { return .unknown(Self.lengthPhrase) }
      index = length
    case 0x61:  // ldx M[k]
      guard let word = word(instruction.operand) else { return .unknown(Self.refused) }
      index = word
    case 0xb1:  // ldx 4*([k]&0xf)
      switch bytes(at: instruction.operand, 1) {
      case .value(let byte): index = 4 * (byte & 0xf)
      case .outside: return .returned(0)
      case .unknown(let part): return .unknown(part)
      }
    default: return .unknown(Self.refused)
    }
    return .next
  }

  private mutating func store(_ instruction: BPF.Instruction, _ value: UInt32) -> Step {
    guard instruction.code == 0x02 || instruction.code == 0x03, word(instruction.operand) != nil else {
      return .unknown(Self.refused)
    }
    memory[Int(instruction.operand)] = value
    return .next
  }

  private mutating func calculate(_ instruction: BPF.Instruction) -> Step {
    let isIndex = instruction.code & 0x08 != 0
    let operand = isIndex ? index : instruction.operand
    switch instruction.code & ~0x08 {
    case 0x04: accumulator &+= operand
    case 0x14: accumulator &-= operand
    case 0x24: accumulator &*= operand
    case 0x34, 0x94:  // a division by X that is 0 ends the program
      guard operand != 0 else { return isIndex ? .returned(0) : .unknown(Self.refused) }
      accumulator =
        instruction.code & 0xf0 == 0x30 ? accumulator / operand : accumulator % operand
    case 0x44: accumulator |= operand
    case 0x54: accumulator &= operand
    case 0x64, 0x74:
      guard isIndex || operand < 32 else { return .unknown(Self.refused) }
      accumulator = instruction.code & 0xf0 == 0x60 ? accumulator &<< operand : accumulator &>> operand
    case 0x84 where !isIndex: accumulator = 0 &- accumulator
    case 0xa4: accumulator ^= operand
    default: return .unknown(Self.refused)
    }
    return .next
  }

  private func jump(_ instruction: BPF.Instruction) -> Step {
    let operand = instruction.code & 0x08 != 0 ? index : instruction.operand
    let holds: Bool
    switch instruction.code & ~0x08 {
    case 0x05 where instruction.code == 0x05: return .skip(Int(instruction.operand))
    case 0x15: holds = accumulator == operand
    case 0x25: holds = accumulator > operand
    case 0x35: holds = accumulator >= operand
    case 0x45: holds = accumulator & operand != 0
    default: return .unknown(Self.refused)
    }
    return .skip(Int(holds ? instruction.jumpTrue : instruction.jumpFalse))
  }

  private func end(_ instruction: BPF.Instruction) -> Step {
    switch instruction.code {
    case 0x06: .returned(instruction.operand)
    case 0x16: .returned(accumulator)
    default: .unknown(Self.refused)
    }
  }

  private mutating func move(_ instruction: BPF.Instruction) -> Step {
    switch instruction.code {
    case 0x07: index = accumulator
    case 0x87: accumulator = index
    default: return .unknown(Self.refused)
    }
    return .next
  }

  private mutating func set(_ value: UInt32) -> Step {
    accumulator = value
    return .next
  }
}

// MARK: What it reads

extension BPFMachine {
  private static let lengthPhrase: StaticString = "the packet's length"

  private var length: UInt32? { (packet.length ?? packet.bytes?.count).map { UInt32(clamping: $0) } }

  private func word(_ place: UInt32) -> UInt32? {
    place < Self.memoryWords ? memory[Int(place)] : nil
  }

  private static func size(_ code: UInt16) -> Int {
    switch code & 0x18 {
    case 0x00: 4
    case 0x08: 2
    default: 1
    }
  }

  private enum Read {
    case value(UInt32)
    /// The program ends there with 0.
    case outside
    case unknown(StaticString)
  }

  /// A number in network order. Offsets that are negative as signed numbers are counted from the network header
  /// (`SKF_NET_OFF`), where offset 0 is too, or from the link-layer header (`SKF_LL_OFF`).
  private func bytes(at offset: UInt32, _ size: Int) -> Read {
    let signed = Int(Int32(bitPattern: offset))
    let start: Int
    switch signed {
    case 0...: start = signed
    case -0x10_0000..<0: start = signed + 0x10_0000
    case -0x20_0000 ..< -0x10_0000: return .unknown("the link-layer header")
    default: return .outside
    }
    guard let bytes = packet.bytes else { return .unknown(Self.unknownBytes) }
    guard start + size <= bytes.count else { return .outside }
    return .value(bytes[start..<start + size].reduce(0) { $0 << 8 | UInt32($1) })
  }

  /// What is known of the packet beside its bytes, at offsets from `SKF_AD_OFF`.
  private enum Ancillary: UInt32 {
    case networkProtocol = 0
    case kind = 4
    case mark = 20
    case exclusiveOr = 40
    case other = 0xff

    init?(_ offset: UInt32) {
      let first: UInt32 = 0xffff_f000
      guard offset >= first else { return nil }
      self = Ancillary(rawValue: offset - first) ?? .other
    }

    var phrase: StaticString {
      switch self {
      case .kind: "whom the frame was for"
      case .mark: "the packet's mark"
      default: "what the kernel knows of the packet"
      }
    }
  }

  private func fact(_ part: Ancillary) -> UInt32? {
    switch part {
    case .networkProtocol: packet.family == .ipv4 ? 0x0800 : 0x86dd
    case .kind: packet.kind?.rawValue
    case .mark: packet.mark
    case .exclusiveOr: accumulator ^ index
    case .other: nil
    }
  }
}
