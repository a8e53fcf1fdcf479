using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Publisher;

/// <summary>A job on its way to the log: what of it is submitted, and what is left out.</summary>
/// <param name="Id">The job's id.</param>
/// <param name="Excluded">How many outputs <c>include</c> and <c>exclude</c> hold back.</param>
/// <param name="Lost">Why something of it cannot be published; empty when everything can.</param>
internal sealed record SpoolItem(string Id, IReadOnlyList<BuildStatement> CandidateValues, int Excluded, string Lost)
{
    /// <summary>Outputs that this machine has not built.</summary>
    public IReadOnlyList<StorePath> NotBuiltHere { get; private init; } = [];

    /// <summary>Outputs whose references have a name that <c>exclude</c> holds back.</summary>
    public IReadOnlyList<StorePath> NamesHidden { get; private init; } = [];

    /// <summary>Why outputs are too long for any log.</summary>
    public IReadOnlyList<string> TooLong { get; private init; } = [];

    /// <summary>About how many bytes the statements take in a call.</summary>
    public int Bytes { get; private init; }

    /// <summary>Parts what is known of a job's outputs.</summary>
    public static SpoolItem Choose(string id, JobOutputs outputs, PublisherOptions options)
    {
        var admitted = outputs.Outputs.Where(output => options.Filter.Admits(output.Statement.Path))
            .ToLookup(output => ReasonOf(output, options));
        List<BuildStatement> statements = [.. admitted[LeftOut.No].Select(output => output.Statement)];
        return new SpoolItem(id, statements, outputs.Outputs.Count - admitted.Sum(group => group.Count()), outputs.Lost)
        {
            NotBuiltHere = [.. admitted[LeftOut.NotBuiltHere].Select(output => output.Statement.Path)],
            NamesHidden = [.. admitted[LeftOut.NamesHidden].Select(output => output.Statement.Path)],
            TooLong = [.. admitted[LeftOut.TooLong].Select(output =>
                $"has {output.Statement.Path}, of which more is to be said than the {WireMessage.MaxValue} bytes that a log takes")],
            Bytes = statements.Sum(SubmissionParts.SizeOf),
        };
    }

    private static LeftOut ReasonOf(DescribedOutput output, PublisherOptions options) =>
        output.IsBuiltHere is false && !options.IncludesFetched ? LeftOut.NotBuiltHere
        : options.Filter.FindHidden(output.Statement.References) is not null ? LeftOut.NamesHidden
        : output.Statement.Value.Length > WireMessage.MaxValue ? LeftOut.TooLong
        : LeftOut.No;

    private enum LeftOut
    {
        No,
        NotBuiltHere,
        NamesHidden,
        TooLong,
    }
}
