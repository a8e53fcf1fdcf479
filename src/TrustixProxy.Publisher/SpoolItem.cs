using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Publisher;

/// <summary>A job being submitted: the statements to submit, and the outputs left out.</summary>
/// <param name="Id">The job's id.</param>
/// <param name="Excluded">Number of outputs held back by <c>include</c> and <c>exclude</c>.</param>
/// <param name="Lost">Why some of it cannot be published; empty when everything can.</param>
internal sealed record SpoolItem(string Id, IReadOnlyList<BuildStatement> Statements, int Excluded, string Lost)
{
    /// <summary>Outputs that were not built on this machine.</summary>
    public IReadOnlyList<StorePath> NotBuiltHere { get; private init; } = [];

    /// <summary>Outputs with a reference whose name <c>exclude</c> matches.</summary>
    public IReadOnlyList<StorePath> NamesHidden { get; private init; } = [];

    /// <summary>Why outputs are too long for any log.</summary>
    public IReadOnlyList<string> TooLong { get; private init; } = [];

    /// <summary>Approximate size of the statements in a call, in bytes.</summary>
    public int Bytes { get; private init; }

    /// <summary>Sorts a job's outputs into those submitted and those left out.</summary>
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
                $"has {output.Statement.Path}, whose statement exceeds the {WireMessage.MaxValue} bytes that a log accepts")],
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
