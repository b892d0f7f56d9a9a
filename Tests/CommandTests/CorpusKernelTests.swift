import Firebreak
import KernelTestSupport
import Testing

/// Rulesets as people have them: in through `firebreak apply`, out through iptables-save and `firebreak save`.
@Suite(.requires(.corpus, .legacyTables, .tool("iptables-legacy-save"), .tool("ip6tables-legacy-save"), .tool("ipset")))
struct CorpusKernelTests {
  @Test func howMany() {
    print(
      "corpus: \(Corpus.Entry.accepted.count) files go through the kernel, \(Corpus.Entry.withOddLineEnds.count) with odd line "
        + "ends too; \(Corpus.Entry.wrong.count) wrong ones are refused; \(Corpus.Entry.unknown.count) hold extensions "
        + "that this version does not know")
    #expect(Corpus.Entry.accepted.count > 50)
  }

  @Test(arguments: Corpus.Entry.accepted)
  func theKernelHoldsWhatTheFileSays(_ entry: Corpus.Entry) throws {
    let expected = comparable(String(decoding: try readFile(entry.expectedPath), as: UTF8.self))
    let first = try TestNamespace()
    try entry.makeSets(in: first)
    let applied = try first.firebreak(["apply", "-q", entry.path])
    #expect(applied.status == 0, "\(applied)")
    #expect(try difference(comparable(saved(first, entry)), expected) == [])
    let own = try first.firebreak(["save"] + familyOption(entry)).stdout
    #expect(difference(comparable(own), expected) == [])
    let counted = try first.firebreak(["save", "-c"] + familyOption(entry)).stdout
    #expect(try uncommented(counted) == uncommented(saved(first, entry, "-c")))

    let again = try first.firebreak(["apply", "--json", entry.isIPv6 ? "-6" : "-4", "-"], input: own)
    #expect(again.status == 0, "\(again)")
    #expect(again.stdout.contains("\"status\":\"unchanged\""), "\(again)")
    let second = try TestNamespace()
    try entry.makeSets(in: second)
    let copied = try second.firebreak(["apply", "-q", "-"], input: own)
    #expect(copied.status == 0, "\(copied)")
    // The kernel lists the table made last first, so copying turns their order round.
    #expect(try difference(tables(comparable(saved(second, entry))), tables(expected)) == [])
  }

  /// What iptables makes of the text with plain line ends.
  @Test(arguments: Corpus.Entry.withOddLineEnds)
  func oddLineEndsAreReadWithAWarning(_ entry: Corpus.Entry) throws {
    let clean = String(decoding: try readFile(entry.path).filter { $0 != 13 }, as: UTF8.self) + "\n"
    let reference = try TestNamespace()
    try entry.makeSets(in: reference)
    let restored = try reference.run([entry.family.toolName + "-legacy-restore"], input: clean)
    let space = try TestNamespace()
    try entry.makeSets(in: space)
    let applied = try space.firebreak(["apply", entry.path])
    #expect(applied.stderr.contains("warning"), "\(applied)")
    #expect((applied.status == 0) == (restored.status == 0), "\(applied) \(restored)")
    if restored.status == 0 { #expect(try comparable(saved(space, entry)) == comparable(saved(reference, entry))) }
  }

  @Test(arguments: Corpus.Entry.wrong)
  func wrongFilesAreRefusedByLine(_ entry: Corpus.Entry) throws {
    let space = try TestNamespace()
    try entry.makeSets(in: space)
    let applied = try space.firebreak(["apply", entry.path])
    #expect(applied.status == 65, "\(entry.legacyVerdict) \(applied)")
    #expect(applied.stderr.hasLocatedError(in: entry.path), "\(applied)")
    #expect(try saved(space, entry) == "")
  }

  /// Never half of a file: what is not known is an error that names it.
  @Test(arguments: Corpus.Entry.unknown)
  func unknownExtensionsAreNamed(_ entry: Corpus.Entry) throws {
    let checked = try runProcess([Built.firebreak, "check", entry.path])
    #expect(checked.status == 65)
    #expect(checked.stderr.hasLocatedError(in: entry.path))
  }

  private func saved(_ space: TestNamespace, _ entry: Corpus.Entry, _ options: String...) throws -> String {
    try space.require([entry.family.toolName + "-legacy-save"] + options).stdout
  }

  private func familyOption(_ entry: Corpus.Entry) -> [String] { entry.isIPv6 ? ["-6"] : [] }
}

extension String {
  /// `FILE:LINE:COL: error: …` somewhere.
  func hasLocatedError(in file: String) -> Bool {
    split(separator: "\n").contains { line in
      guard line.hasPrefix(file + ":"), line.contains(": error: ") else { return false }
      return line.dropFirst(file.count + 1).first?.isNumber == true
    }
  }
}
