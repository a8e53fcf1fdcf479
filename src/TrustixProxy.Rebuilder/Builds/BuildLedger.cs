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

    /// <summary>The record of an attempt that begins. What was built before is kept in it.</summary>
    public BuildRecord Begin(StorePath path, BuildRecord? known)
    {
        var last = known is { IsBuilt: false } ? known : null;
        return new BuildRecord(path.Absolute, known?.Derivation, BuildState.Preparing)
        {
            Attempts = (last?.Attempts ?? 0) + 1,
            Waits = last?.Waits ?? 0,
            Interruptions = last?.Interruptions ?? 0,
            BeganEmpty = last is { BeganEmpty: true },
            Before = last is null ? known is null ? null : known with { Before = null } : last.Before,
            StartedAt = time.GetUtcNow(),
        };
    }

    /// <summary>Records what an earlier process was in the middle of when it broke down. The first time may be a chance, so it goes on at
    /// once; after that it counts like a failure, since the build may be the cause.</summary>
    public void NoteInterruptions()
    {
        foreach (var record in records.All().Where(record => record.State is BuildState.Preparing or BuildState.Building))
        {
            var retry = record.Interruptions is 0 ? time.GetUtcNow() : RetryOf(record);
            Keep(record with
            {
                State = BuildState.Interrupted,
                Interruptions = record.Interruptions + 1,
                BeganEmpty = record.BeganEmpty || record.State is BuildState.Building,
                RetryAt = retry,
                Reason = string.Create(CultureInfo.InvariantCulture, $"the rebuilder or its machine broke down while it was "
                    + $"{(record.State is BuildState.Building ? "building" : "prepared")}, {record.Interruptions + 1} times so far")
                    + (retry is null ? "; it is built again only if it is named to rebuild" : ""),
            });
        }
    }

    /// <summary>Records that the rebuilder is stopped in the middle of a path. That uses up no retry.</summary>
    public void Stop(StorePath path)
    {
        if (Find(path) is { State: BuildState.Preparing or BuildState.Building } record)
        {
            Keep(record with
            {
                State = BuildState.Interrupted,
                Attempts = record.Attempts - 1,
                BeganEmpty = record.BeganEmpty || record.State is BuildState.Building,
                RetryAt = time.GetUtcNow(),
                Reason = "the rebuilder was stopped",
            });
        }
    }

    /// <summary>Records a failure.</summary>
    /// <param name="isFinal">Whether no retry can help.</param>
    public BuildRecord Fail(BuildRecord record, string reason, bool isFinal) => Keep(record with
    {
        State = BuildState.Failed,
        BeganEmpty = false,
        EndedAt = time.GetUtcNow(),
        Reason = reason,
        RetryAt = isFinal ? null : RetryOf(record),
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
    public BuildRecord Complete(BuildRecord record) => Queue(Keep(record with
    {
        State = BuildState.Built,
        BeganEmpty = false,
        Before = record.Before is { } before && before.HasOutputsOf(record) ? null : record.Before,
        EndedAt = time.GetUtcNow(),
    }));

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

    /// <summary>When an attempt that failed is repeated; null when its retries are used up.</summary>
    private DateTimeOffset? RetryOf(BuildRecord record) => record.Attempts > options.Retries ? null
        : time.GetUtcNow() + (options.Backoff * Math.Pow(2, Math.Min(record.Attempts - 1, 10)));
}
