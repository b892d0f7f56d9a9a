internal import Glibc
package import Netfilter

/// Names of hosts in a command of iptables. The copy's network namespace leads nowhere, so that they are looked up before
/// it is entered, and handed on as the addresses that iptables would have found.
package enum HostWords {
  private static let options: Set<String> = ["-s", "--source", "--src", "-d", "--destination", "--dst"]

  /// The words with the addresses of `-s` and `-d` in place of names that resolve; nil where a word stays.
  package static func replacements(_ words: [String], _ names: Names) -> [String?] {
    let family: Family =
      words.prefix(2).contains { $0.split(separator: "/").last?.hasPrefix("ip6tables") == true }
      ? .ipv6 : .ipv4
    return words.enumerated().map { place, word in
      if place > 0, options.contains(words[place - 1]) { return addresses(word, family, names) }
      guard word.hasPrefix("--"), let equals = word.firstIndex(of: "="), options.contains(String(word[..<equals]))
      else {
        return nil
      }
      return addresses(String(word[word.index(after: equals)...]), family, names).map { word[...equals] + $0 }
    }
  }

  /// `a.example,192.0.2.1/24` with addresses only; nil where nothing changes.
  private static func addresses(_ word: String, _ family: Family, _ names: Names) -> String? {
    var isChanged = false
    let parts = word.split(separator: ",", omittingEmptySubsequences: false).map { part -> String in
      let pieces = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      let host = String(pieces[0])
      guard host.contains(where: \.isLetter), !host.contains(":") else { return String(part) }
      let found = names.host(host, family)
      guard !found.isEmpty else { return String(part) }
      isChanged = true
      return found.map { pieces.count > 1 ? "\($0)/\(pieces[1])" : "\($0)" }.joined(separator: ",")
    }
    return isChanged ? parts.joined(separator: ",") : nil
  }

  /// Does it to the words of this process.
  static func resolveArguments() {
    let words = (0..<Int(CommandLine.argc)).map { place in
      CommandLine.unsafeArgv[place].map { String(cString: $0) } ?? ""
    }
    guard words.contains(where: { word in options.contains { word.hasPrefix($0) } }) else { return }
    for (place, word) in replacements(words, .system).enumerated() {
      if let word { CommandLine.unsafeArgv[place] = strdup(word) }
    }
  }
}
