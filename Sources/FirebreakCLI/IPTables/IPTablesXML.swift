internal import Firebreak
internal import Glibc

/// `iptables-xml`: text of iptables-save as the XML of iptables-xml(1). It looks at words only and asks no kernel.
struct IPTablesXML {
  private static let options: [Getopt.Option] = [
    .init(letter: "c", name: "combine", value: .none), .init(letter: "v", name: "verbose", value: .none),
    .init(letter: "h", name: "help", value: .none),
  ]

  func run(_ words: ArraySlice<Token>, _ output: inout ToolOutput) throws(ToolFailure) -> ToolStatus {
    let given = Getopt(words, Self.options)
    guard given.unknown == nil, given.arguments.count <= 1, !given.uses.contains(where: { $0.letter == "h" }) else {
      throw ToolFailure(.failed, .none, "Usage: iptables-xml [-c] [-v] [FILE]")
    }
    let path = given.arguments.first ?? "-"
    let file: InputFile
    do throws(InputFile.Unreadable) {
      file = try InputFile(path: path)
    } catch {
      throw ToolFailure(.failed, .none, "Can't open \(path): \(String(cString: strerror(error.code)))")
    }
    let writer = RulesXML(
      combines: given.uses.contains { $0.letter == "c" }, isVerbose: given.uses.contains { $0.letter == "v" })
    let result = file.withBytes { bytes in Result { () throws(ToolFailure) in try writer.write(bytes) } }
    output.print(bytes: writer.bytes)
    try result.get()
    return .done
  }
}

/// Writes rules as XML.
private final class RulesXML {
  /// Whether a rule with the conditions of the one before is written as one more action of it.
  private let combines: Bool
  private let isVerbose: Bool
  private var out = TextWriter()
  private var splitter = LineSplitter(longestLine: RulesText.longestLine)
  private var table: String?
  private var chains: [Declared] = []
  private var openChain: String?
  private var isRuleOpen = false
  private var areActionsOpen = false
  private var lastRule: [Word] = []

  /// A chain's line.
  private struct Declared {
    let name: String
    let policy: String
    let counters: Counters
    var isWritten = false
  }

  /// One word of a rule. A quoted one is data, whatever it looks like.
  private struct Word: Equatable {
    let text: String
    let isQuoted: Bool

    var isTargetOption: Bool { !isQuoted && ["-j", "--jump", "-g", "--goto"].contains(text) }
    var isMatchOption: Bool { !isQuoted && ["-m", "--module"].contains(text) }
    var isGoto: Bool { ["-g", "--goto"].contains(text) }
  }

  init(combines: Bool, isVerbose: Bool) {
    self.combines = combines
    self.isVerbose = isVerbose
  }

  var bytes: [UInt8] { out.bytes }

  func write(_ text: UnsafeRawBufferPointer) throws(ToolFailure) {
    out.write("<iptables-rules version=\"1.0\">\n")
    let bytes = text.assumingMemoryBound(to: UInt8.self)
    var start = 0
    var number = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      number += 1
      try write(UnsafeBufferPointer(rebasing: bytes[start..<end]), number)
      start = end + 1
    }
    guard table == nil else { throw ToolFailure(.failed, .none, "iptables-xml: COMMIT expected at line \(number + 1)") }
    out.write("</iptables-rules>\n")
  }

  private func write(_ line: UnsafeBufferPointer<UInt8>, _ number: Int) throws(ToolFailure) {
    guard let first = line.first else { return }
    if first == UInt8(ascii: "#") { return comment(line) }
    if isVerbose { comment(Array("line \(number) ".utf8) + line) }
    let hasSign = first == UInt8(ascii: "*") || first == UInt8(ascii: ":")
    do throws(SyntaxError) {
      try splitter.splitRestore(line, from: hasSign ? 1 : 0)
    } catch {
      throw ToolFailure(.usage, .none, "iptables-xml: line \(number): \(error.message)")
    }
    let tokens = splitter.tokens
    if first == UInt8(ascii: "*") { return open(table: tokens.first?.string ?? "") }
    guard table != nil else { throw ToolFailure(.failed, .none, "iptables-xml: line \(number) failed") }
    if tokens.count == 1, tokens[0] == "COMMIT", !tokens[0].isQuoted { return closeTable() }
    if first == UInt8(ascii: ":") {
      guard tokens.count > 1 else {
        throw ToolFailure(.usage, .none, "iptables-xml: line \(number) policy invalid")
      }
      let counters = tokens.count > 2 ? Counters(bracketed: tokens[2]) : nil
      chains.append(Declared(name: tokens[0].string, policy: tokens[1].string, counters: counters ?? .zero))
      return
    }
    var rule = tokens
    let counters = rule.takeCounters().flatMap { Counters(bracketed: $0) }
    let words = (counters == nil ? tokens : rule).map { Word(text: $0.string, isQuoted: $0.isQuoted) }
    guard let append = words.dropLast().firstIndex(where: { $0.text == "-A" }) else {
      throw ToolFailure(.failed, .none, "iptables-xml: line \(number) failed - no chain found")
    }
    enter(chain: words[append + 1].text)
    write(words, counters)
    lastRule = words
  }

  // MARK: Tables and chains

  private func open(table name: String) {
    closeTable()
    table = name
    out.write("  <table ")
    attribute("name", name)
    out.write(">\n")
  }

  private func closeTable() {
    closeChain()
    for chain in chains where !chain.isWritten { openTag(chain, isEmpty: true) }
    chains = []
    if table != nil { out.write("  </table>\n") }
    table = nil
  }

  /// Opens a declared chain, unless it is open.
  private func enter(chain name: String) {
    guard openChain != name, let place = chains.firstIndex(where: { $0.name == name }) else { return }
    closeChain()
    openTag(chains[place], isEmpty: false)
    chains[place].isWritten = true
    openChain = name
  }

  private func closeChain() {
    guard openChain != nil else { return }
    closeRule()
    out.write("    </chain>\n")
    openChain = nil
  }

  private func openTag(_ chain: Declared, isEmpty: Bool) {
    out.write("    <chain ")
    attribute("name", chain.name)
    if chain.policy != "-" { attribute("policy", chain.policy) }
    attribute("packet-count", "\(chain.counters.packets)")
    attribute("byte-count", "\(chain.counters.bytes)")
    out.write(isEmpty ? "/>\n" : ">\n")
  }

  // MARK: Rules

  private func closeRule() {
    if areActionsOpen { out.write("       </actions>\n\n") }
    if isRuleOpen { out.write("      </rule>\n\n") }
    (areActionsOpen, isRuleOpen) = (false, false)
  }

  private func write(_ rule: [Word], _ counters: Counters?) {
    let body = rule.dropFirst(2)
    let hasConditions = body.first.map { !$0.isTargetOption } ?? false
    if combines, hasConditions, hasConditionsOfLastRule(rule) {
      comment("Combine action from next rule".utf8)
    } else {
      closeRule()
      out.write("      <rule ")
      if let counters {
        attribute("packet-count", "\(counters.packets)")
        attribute("byte-count", "\(counters.bytes)")
      }
      out.write(">\n")
      isRuleOpen = true
      if hasConditions {
        out.write("       <conditions>\n")
        writeParts(body.prefix { !$0.isTargetOption })
        out.write("       </conditions>\n")
      }
    }
    if !areActionsOpen { out.write("       <actions>\n") }
    areActionsOpen = true
    writeParts(body.drop { !$0.isTargetOption })
  }

  /// Whether both rules are alike up to their targets, and the last one's let the packet go on.
  private func hasConditionsOfLastRule(_ rule: [Word]) -> Bool {
    for (place, (old, new)) in zip(lastRule, rule).enumerated() {
      if old.isTargetOption, new.isTargetOption {
        let target = place + 1 < lastRule.count ? lastRule[place + 1].text : ""
        return !old.isGoto && !["ACCEPT", "DROP", "QUEUE", "RETURN"].contains(target)
      }
      guard old.text == new.text else { return false }
    }
    return false
  }

  /// Elements for matches and targets, and in them for their options with the values as text.
  private func writeParts(_ words: ArraySlice<Word>) {
    var outer: String?
    var inner: String?
    var separator = ""
    var isInverted = false
    func closeInner() {
      if let tag = inner { out.write("</\(tag)>\n") }
      inner = nil
    }
    func closeBoth() {
      closeInner()
      if let tag = outer { out.write("        </\(tag)>\n") }
      outer = nil
    }
    func isElementNext(_ place: Int) -> Bool {
      guard place < words.endIndex else { return true }
      return words[place].isTargetOption || words[place].isMatchOption
    }
    let lead = words.first.map { $0.text == "!" && !$0.isQuoted } == true ? words.dropFirst().first : words.first
    if let lead, lead.text.hasPrefix("-"), !lead.isTargetOption, lead.text != "-m" {
      out.write("        <match >\n")
      outer = "match"
    }
    var place = words.startIndex
    while place < words.endIndex {
      let word = words[place]
      let next = place + 1 < words.endIndex ? words[place + 1] : nil
      if word.text == "!", !word.isQuoted {
        if next?.text.hasPrefix("-") == true {
          isInverted = true
        } else {
          out.write(separator + "!")
        }
        separator = " "
      } else if word.isTargetOption, let next, chains.contains(where: { $0.name == next.text }) {
        closeBoth()
        outer = word.isGoto ? "goto" : "call"
        out.write("        <\(outer!) >\n          <\(next.text) />\n")
        (separator, isInverted) = ("", false)
        place += 1
      } else if word.isTargetOption || word.isMatchOption {
        guard let next else { break }
        closeBoth()
        (separator, isInverted) = ("", false)
        place += 1
        out.write("        <\(next.text) ")
        if isElementNext(place + 1) {
          out.write(" />\n")
        } else {
          out.write(">\n")
          outer = next.text
        }
      } else if !word.isQuoted, word.text.hasPrefix("-") {
        closeInner()
        separator = ""
        let tag = String(word.text.drop { $0 == "-" })
        out.write("          <\(tag) " + (isInverted ? " invert=\"1\"" : ""))
        isInverted = false
        if next.map({ $0.text.hasPrefix("-") }) ?? true {
          out.write(" />\n")
        } else {
          out.write(">")
          inner = tag
        }
      } else {
        out.write(separator)
        let quote = word.isQuoted || word.text.contains(" ") ? "&quot;" : ""
        out.write(quote)
        encode(word.text)
        out.write(quote)
        separator = " "
      }
      place += 1
    }
    closeBoth()
  }

  // MARK: Text

  private func attribute(_ name: String, _ value: String) {
    out.write("\(name)=\"")
    encode(value)
    out.write("\" ")
  }

  private func encode(_ text: String) {
    for byte in text.utf8 {
      switch byte {
      case 127...: out.write("&#\(byte);")
      case UInt8(ascii: "&"): out.write("&amp;")
      case UInt8(ascii: "<"): out.write("&lt;")
      case UInt8(ascii: ">"): out.write("&gt;")
      case UInt8(ascii: "\""): out.write("&quot;")
      default: out.write(byte: byte)
      }
    }
  }

  /// A comment may not hold two dashes in a row: one is set off by `*`, every second one by a blank too.
  private func comment(_ text: some Sequence<UInt8>) {
    out.write("<!-- ")
    var isSecond = false
    for byte in text {
      if byte == UInt8(ascii: "-") {
        out.write(isSecond ? " *" : "*")
        isSecond.toggle()
      }
      out.write(byte: byte)
    }
    out.write(" -->\n")
  }
}
