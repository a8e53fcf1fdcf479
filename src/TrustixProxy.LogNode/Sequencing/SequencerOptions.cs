namespace TrustixProxy.LogNode.Sequencing;

/// <summary>How a log's submissions become heads.</summary>
/// <param name="Name">The log's name in messages.</param>
/// <param name="FlushInterval">Time between heads; zero for a head under each submission.</param>
/// <param name="HistoryWindow">How long proofs under superseded heads are given.</param>
/// <param name="HasWitnesses">Whether nothing is signed before witnesses were asked for the first time: they may know a larger
/// tree.</param>
internal sealed record SequencerOptions(string Name, TimeSpan FlushInterval, TimeSpan HistoryWindow, bool HasWitnesses);
