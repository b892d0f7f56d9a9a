internal import Firebreak
internal import Glibc

/// Answers packets in JSON, one a line, as they come in: what has been read is answered before more is read.
struct SimulationRun {
  private let workers: [SimulationWorker]

  init(_ rules: SimulatedRules, isJSON: Bool) {
    // Each thread has simulators of its own: counting references to shared ones would make them wait for each other.
    workers = (0..<2).map { _ in SimulationWorker(rules, isJSON: isJSON) }
  }

  /// With less than this one thread does all.
  private static let shared = 64 << 10
  private static let pieceSize = 4 << 20
  /// A longer line is no packet.
  private static let longestLine = 1 << 20

  /// - Throws: ``CommandFailure`` with the lines that are wrong; those before the first have been answered.
  func answer(_ path: String, _ console: Console) throws {
    let descriptor = path == "-" ? dup(0) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.unreadable(path) }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: Self.pieceSize)
    var filled = 0
    var line = 1
    var isAtEnd = false
    while !isAtEnd || filled > 0 {
      if !isAtEnd {
        let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + filled, $0.count - filled) }
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw Self.unreadable(path) }
        isAtEnd = count == 0
        filled += count
      }
      let used = try buffer.withUnsafeBufferPointer { bytes in
        let read = UnsafeBufferPointer(rebasing: bytes[..<filled])
        let whole = isAtEnd ? filled : (read.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        guard filled - whole <= Self.longestLine else {
          throw CommandFailure(.badInput, "\(path):\(line): the line has more than \(Self.longestLine) bytes")
        }
        try answer(UnsafeBufferPointer(rebasing: read[..<whole]), path, &line, console)
        return whole
      }
      _ = buffer.withUnsafeMutableBytes { memmove($0.baseAddress!, $0.baseAddress! + used, filled - used) }
      filled -= used
    }
  }

  private static func unreadable(_ path: String) -> CommandFailure {
    CommandFailure(.noInput, "\(path): \(String(cString: strerror(errno)))")
  }

  /// Whole lines, in two halves at once where there are many.
  private func answer(_ lines: UnsafeBufferPointer<UInt8>, _ path: String, _ line: inout Int, _ console: Console) throws
  {
    let middle = lines[(lines.count / 2)...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? lines.count
    let cut = lines.count < Self.shared ? lines.count : middle
    let halves = [lines[..<cut], lines[cut...]].map { UnsafeBufferPointer(rebasing: $0) }
    runTogether({ workers[0].answer(halves[0]) }, { workers[1].answer(halves[1]) })
    for worker in workers {
      console.print(bytes: worker.answers.bytes)
      if let failure = worker.failure { throw failure }
      guard worker.errors.isEmpty else {
        throw CommandFailure(badPackets: worker.errors.map { $0.located(path, after: line - 1) })
      }
      line += worker.lineCount
    }
  }
}

/// Answers packets on one thread.
private final class SimulationWorker: @unchecked Sendable {
  private let rules: SimulatedRules
  private let isJSON: Bool
  private let names = Names.system
  /// By table and family, made when the first packet asks.
  private var tables: [(simulator: Simulator, writer: DecisionWriter)?]
  private var decision = Decision()
  private(set) var answers = TextWriter()
  private(set) var errors: [PacketError] = []
  private(set) var failure: (any Error)?
  private(set) var lineCount = 0

  init(_ rules: SimulatedRules, isJSON: Bool) {
    self.rules = rules
    self.isJSON = isJSON
    tables = Array(repeating: nil, count: TableName.allCases.count * 2)
  }

  /// Answers lines up to the first that is wrong, and looks at the others for more that are.
  func answer(_ lines: UnsafeBufferPointer<UInt8>) {
    answers.removeAll()
    errors = []
    lineCount = 0
    var start = 0
    while start < lines.count, failure == nil, errors.count < RulesText.errorLimit {
      let end = lines.end(ofLineAt: start)
      lineCount += 1
      let line = UnsafeBufferPointer(rebasing: lines[start..<end])
      start = end + 1
      guard !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) else { continue }
      do throws(SyntaxError) {
        try answer(PacketLine(json: line, names: names))
      } catch {
        errors.append(PacketError(line: lineCount, error: error, text: String(decoding: line, as: UTF8.self)))
      }
    }
  }

  private func answer(_ line: PacketLine) throws(SyntaxError) {
    let place = line.table.place * 2 + (line.packet.family == .ipv4 ? 0 : 1)
    if tables[place] == nil { try prepare(line.table, line.packet.family, place) }
    guard errors.isEmpty, let table = tables[place] else { return }
    table.simulator.decide(line.packet, at: line.hook, into: &decision)
    if isJSON {
      table.writer.writeJSON(decision, to: &answers)
    } else {
      table.writer.writeText(decision, to: &answers)
    }
  }

  private func prepare(_ name: TableName, _ family: Family, _ place: Int) throws(SyntaxError) {
    guard let table = rules.table(name, family) else {
      throw SyntaxError("table: the rules have no \(family) table \(name)", hint: "they have \(rules.tableList)")
    }
    do {
      let simulator = try Simulator(checked: table, isIndexed: true)
      tables[place] = (simulator, DecisionWriter(simulator))
    } catch {
      failure = error
    }
  }
}

/// What is wrong with a line.
private struct PacketError {
  let line: Int
  let error: SyntaxError
  let text: String

  func located(_ file: String, after lines: Int) -> Diagnostic {
    Diagnostic(
      .error, file: file, line: lines + line, column: error.column, length: error.length, message: error.message,
      hint: error.hint, sourceLine: text)
  }
}

extension CommandFailure {
  fileprivate init(badPackets diagnostics: [Diagnostic]) {
    self.init(.badInput, "a packet cannot be read; those before it were answered")
    self.diagnostics = diagnostics
  }
}

extension TableName {
  fileprivate var place: Int {
    switch self {
    case .raw: 0
    case .mangle: 1
    case .nat: 2
    case .filter: 3
    case .security: 4
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Where the line ends that begins at `start`: at its newline, or at the end of all.
  fileprivate func end(ofLineAt start: Int) -> Int {
    guard let found = memchr(baseAddress! + start, 10, count - start) else { return count }
    return UnsafeRawPointer(found) - UnsafeRawPointer(baseAddress!)
  }
}
