@_exported public import CommitEngine
@_exported public import NFTablesStore
@_exported public import Netfilter
@_exported public import RuleStore
@_exported public import RulesetAnalysis
@_exported public import XTablesStore
