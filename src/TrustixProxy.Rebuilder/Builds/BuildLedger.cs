using System.Globalization;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Records;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>Writes down how far each rebuild is, and hands results to the spool.</summary>
internal sealed class BuildLedger(RebuilderOptions options, RecordFolder records, TimeProvider time)
{
    /// <summary>Minimum pause of a path that waits, so that a work list without other paths does not keep a rebuilder busy.</summary>
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMinutes(1);

    /// <summary>How often the pause of a path that waits doubles.</summary>
    private const int MaxDoublings = 4;

    /// <summary>Finds the record that answers for a path; null when there is none.</summary>
    public BuildRecord? Find(StorePath path) => records.Find(path.Absolute);

    /// <summary>The record of an attempt that begins; an interrupted attempt goes on.</summary>
    public BuildRecord Begin(StorePath path, BuildRecord? known) =>
        known is { State: BuildState.Building } ? known
        : new BuildRecord(path.Absolute, known?.Derivation, BuildState.Building)
        {
            Attempts = (known?.Attempts ?? 0) + 1,
            Waits = known?.Waits ?? 0,
            StartedAt = time.GetUtcNow(),
        };

    /// <summary>Records a failure.</summary>
    /// <param name="isFinal">Whether no retry can help.</param>
    public BuildRecord Fail(BuildRecord record, string reason, bool isFinal) => Keep(record with
    {
        State = BuildState.Failed,
        EndedAt = time.GetUtcNow(),
        Reason = reason,
        RetryAt = isFinal || record.Attempts > options.Retries ? null
            : time.GetUtcNow() + (options.Backoff * Math.Pow(2, Math.Min(record.Attempts - 1, 10))),
    });

    /// <summary>Records that a path must wait, for example for its inputs, its derivation, or disk space. No build has failed, so this
    /// uses up no retry.</summary>
    public BuildRecord Postpone(BuildRecord record, string reason)
    {
        var pause = options.Backoff * Math.Pow(2, Math.Min(record.Waits, MaxDoublings));
        return Keep(record with
        {
            State = BuildState.Failed,
            Attempts = record.Attempts - 1,
            Waits = record.Waits + 1,
            EndedAt = time.GetUtcNow(),
            Reason = reason,
            RetryAt = time.GetUtcNow() + (pause > ShortestWait ? pause : ShortestWait),
        });
    }

    /// <summary>Records a result and puts it into the spool.</summary>
    public BuildRecord Complete(BuildRecord record) => Queue(Keep(record with { State = BuildState.Built, EndedAt = time.GetUtcNow() }));

    /// <summary>Writes a record durably.</summary>
    public BuildRecord Keep(BuildRecord record)
    {
        records.Write(record);
        return record;
    }

    /// <summary>Puts a built result into the spool, unless it was put there before.</summary>
    /// <exception cref="IOException">The spool is full or cannot be written to; the result stays recorded.</exception>
    public BuildRecord Queue(BuildRecord record)
    {
        if (record.State is not BuildState.Built || !StorePath.TryParseAbsolute(record.Derivation, out var derivation, out _))
        {
            return record;
        }

        var outputs = record.Outputs.Select(output => output.ToDescribed()).OfType<DescribedOutput>()
            .Where(output => options.Filter.Admits(output.Statement.Path)).ToList();
        var id = string.Create(CultureInfo.InvariantCulture, $"{record.StartedAt.ToUnixTimeMilliseconds()}-rebuild-{derivation.Digest}");
        Spool.Queue(options.SpoolDirectory, id, derivation, outputs);
        return Keep(record with { State = BuildState.Queued });
    }
}
