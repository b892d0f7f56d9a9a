internal import Netfilter

/// What counts as ours before a commit: the last generation's rules, or, where no generation has the table, what no
/// well-known program wrote.
struct MergeBase {
  private let table: Table
  /// No generation has the table.
  let isGuessed: Bool
  private let foreignChains: Set<ChainName>

  init(_ base: Table?, live: Table, _ directory: OwnerDirectory) {
    isGuessed = base == nil
    if let base {
      (table, foreignChains) = (base, [])
      return
    }
    var guess = live
    var foreign: Set<ChainName> = []
    for (index, chain) in live.chains.enumerated() {
      if let owner = directory.owner(of: chain.name), owner.isRecognisedWhole {
        foreign.insert(chain.name)
        continue
      }
      var rules = RuleList(family: live.family)
      for place in chain.rules.indices {
        let owner =
          directory.mayKnow(place, of: chain.rules) ? directory.owner(of: chain.rules[place], in: chain.name) : nil
        if owner?.isRecognisedWhole != true { rules.copy(place, from: chain.rules) }
      }
      if rules.count < chain.rules.count { guess.setRules(of: index, rules) }
    }
    (table, foreignChains) = (guess, foreign)
  }

  func contains(_ chain: ChainName) -> Bool { !foreignChains.contains(chain) && table.contains(chain) }

  func rules(of chain: ChainName) -> RuleList {
    guard contains(chain), let known = table[chain] else { return RuleList(family: table.family) }
    return known.rules
  }

  /// The program whose chain a live one is and stays. One whose rules came from us is ours, until the program has written
  /// into it; that of a program which loads its rules once stays ours.
  func ownerToRespect(of live: Chain, _ directory: OwnerDirectory) -> RuleOwner? {
    guard let owner = directory.owner(of: live.name), owner.isRecognisedWhole,
      !RuleOwner.sharedChains.contains(live.name.text)
    else { return nil }
    let ours = rules(of: live.name)
    let isOurs =
      owner.isStatic
      ? contains(live.name) && (!ours.isEmpty || live.rules.isEmpty)
      : !ours.isEmpty && RuleKinds.areAlike(live.rules, ours)
    return isOurs ? nil : owner
  }
}
