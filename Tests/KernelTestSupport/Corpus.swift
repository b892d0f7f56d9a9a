import Glibc

/// Rulesets that other people wrote, with what iptables made of them. They are no part of this package.
public enum Corpus {
  /// FIREBREAK_CORPUS, or `../shared/corpus` beside the package; nil where there is none.
  public static let directory: String? = {
    let named = getenv("FIREBREAK_CORPUS").map { String(cString: $0) }
    let candidates = named.map { [$0] } ?? [Built.packageDirectory + "/../shared/corpus"]
    return candidates.first { access($0 + "/MANIFEST.tsv", R_OK) == 0 }
  }()

  /// One line of the manifest.
  public struct Entry: Sendable, CustomStringConvertible {
    /// Relative to the corpus.
    public let file: String
    public let kind: String
    public let legacyVerdict: String
    public let nftVerdict: String
    public let extensions: [String]
    public let notes: String

    public var path: String { Corpus.directory! + "/" + file }
    public var isAcceptedByLegacy: Bool { legacyVerdict == "y" }
    public var isAcceptedByNFT: Bool { nftVerdict == "y" }
    public var isIPv6: Bool { file.hasSuffix(".v6") }
    public var description: String { file }
    /// What iptables-legacy-save printed.
    public var expectedPath: String { path + ".legacy-save" }
    /// What iptables-nft-save printed.
    public var expectedNFTPath: String { path + ".nft-save" }
  }

  /// The manifest, empty where there is no corpus.
  public static let entries: [Entry] = {
    guard let directory, let text = try? readFile(directory + "/MANIFEST.tsv") else { return [] }
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst()
    return lines.compactMap { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard fields.count >= 9 else { return nil }
      return Entry(
        file: fields[0], kind: fields[1], legacyVerdict: fields[5], nftVerdict: fields[6],
        extensions: fields[7].split(separator: ",").map(String.init), notes: fields[8])
    }
  }()
}

/// All of a file.
public func readFile(_ path: String) throws -> [UInt8] {
  guard let stream = fopen(path, "r") else { throw ProcessFailure("cannot read \(path)") }
  defer { fclose(stream) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&buffer, 1, buffer.count, stream)
    if count == 0 { return bytes }
    bytes += buffer.prefix(count)
  }
}
