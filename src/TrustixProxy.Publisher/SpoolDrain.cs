using System.Diagnostics;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Makes one pass over the spool and publishes its jobs. For a single use.</summary>
/// <remarks>A job leaves the spool only when the log's signed head covers it durably. After a crash in between it is submitted again. The
/// log keeps the first value of a key and ignores an identical second one. So at-least-once delivery puts it into the log exactly
/// once.</remarks>
internal sealed class SpoolDrain(PublisherOptions options, Spool spool, LogSubmitter submitter, ILogger logger, TimeProvider time)
{
    /// <summary>Maximum number of paths named in one message.</summary>
    private const int MaxNames = 10;

    private readonly List<SpoolItem> _batch = [];
    private PublishPass _pass = new(0, 0, 0, 0, 0, PublishFault.None);
    private string? _logId;
    private string? _nixFault;

    public async Task<PublishPass> RunAsync(CancellationToken cancellation)
    {
        try
        {
            var (fault, reason) = await TryDrainAsync(cancellation);
            _pass = _pass with { Waiting = spool.Jobs().Count, Fault = fault };
            Tell(reason);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _pass = _pass with { Fault = PublishFault.Spool };
            Tell(exception.Message);
        }

        return _pass;
    }

    private async Task<(PublishFault Fault, string Reason)> TryDrainAsync(CancellationToken cancellation)
    {
        try
        {
            await DrainAsync(cancellation);
            return _nixFault is null ? (PublishFault.None, "") : (PublishFault.NoNix, _nixFault);
        }
        catch (SubmissionException exception)
        {
            return (exception.Kind switch
            {
                SubmissionFault.Unreachable => PublishFault.Unreachable,
                SubmissionFault.Busy => PublishFault.Busy,
                _ => PublishFault.Refused,
            }, exception.Message);
        }
    }

    private void Tell(string reason)
    {
        switch (_pass.Fault)
        {
            case PublishFault.Refused:
                logger.Refused(reason);
                break;
            case PublishFault.Busy:
                logger.Busy(_pass.Waiting, reason);
                break;
            case PublishFault.Unreachable:
                logger.Unreachable(_pass.Waiting, reason);
                break;
            case PublishFault.NoNix:
                logger.NoNix(_pass.Waiting, reason);
                break;
            case PublishFault.Spool:
                logger.SpoolFailed(reason);
                break;
            case PublishFault.NoGuix or PublishFault.None:
                break;
            default:
                throw new UnreachableException();
        }
    }

    private async Task DrainAsync(CancellationToken cancellation)
    {
        spool.Sweep(time.GetUtcNow());
        foreach (var id in spool.Jobs())
        {
            await AddAsync(id, cancellation);
            if (_batch.Count >= SubmissionParts.MaxCount
                || _batch.Sum(item => item.Statements.Count) >= SubmissionParts.MaxCount
                || _batch.Sum(item => item.Bytes) >= SubmissionParts.MaxBytes)
            {
                await SubmitAsync(cancellation);
            }
        }

        await SubmitAsync(cancellation);
    }

    private async Task AddAsync(string id, CancellationToken cancellation)
    {
        if (!spool.TryRead(id, out var job, out var error))
        {
            Reject(id, error);
        }
        else if (await DescribeAsync(job, cancellation) is { } outputs)
        {
            _batch.Add(SpoolItem.Choose(id, outputs, options));
        }
    }

    /// <summary>Describes a job's outputs; null while that must wait.</summary>
    private async Task<JobOutputs?> DescribeAsync(SpoolJob job, CancellationToken cancellation)
    {
        if (spool.TryReadDescription(job, out var described))
        {
            return JobOutputs.Of(job, described);
        }

        if (_nixFault is not null || time.GetUtcNow() - job.WrittenAt < options.DescriptionWait)
        {
            return null;
        }

        try
        {
            var outputs = await JobOutputs.AskAsync(job, cancellation);
            if (outputs.Lost.Length is 0)
            {
                spool.Describe(job, outputs.Outputs);
            }

            return outputs;
        }
        catch (NixException exception)
        {
            _nixFault = exception.Message;
            return null;
        }
    }

    private async Task SubmitAsync(CancellationToken cancellation)
    {
        var statements = _batch.SelectMany(item => item.Statements).ToList();
        var came = new Submission([], []);
        if (statements.Count > 0)
        {
            _logId ??= await submitter.FindLogAsync(options.LogName, cancellation);
            came = await submitter.SubmitAsync(_logId, statements, cancellation);
        }

        var refused = came.Refused.ToDictionary(item => item.Statement, item => item.Reason);
        foreach (var item in _batch)
        {
            string[] reasons = [.. item.TooLong, .. item.Statements.Where(refused.ContainsKey)
                .Select(statement => $"has {statement.Path}, rejected by the log: {refused[statement]}")];
            if (reasons.Length > 0)
            {
                Reject(item.Id, string.Join("; ", reasons));
            }
        }

        spool.Remove([.. _batch.Select(item => item.Id)]);
        Count(statements.Count - refused.Count - came.Contradicted.Count, came.Contradicted);
        _batch.Clear();
    }

    private void Count(int paths, IReadOnlyList<StorePath> contradicted)
    {
        var lost = _batch.Where(item => item.Lost.Length > 0).ToList();
        lost.ForEach(item => logger.GivenUp(item.Id, item.Lost));
        StorePath[] fetched = [.. _batch.SelectMany(item => item.NotBuiltHere)];
        StorePath[] hidden = [.. _batch.SelectMany(item => item.NamesHidden)];
        var excluded = hidden.Length + _batch.Sum(item => item.Excluded);
        if (paths + excluded > 0)
        {
            logger.Published(paths, _batch.Count, excluded);
        }

        Name(fetched, logger.NotBuiltHere);
        Name(hidden, logger.NamesHidden);
        Name(contradicted, logger.Contradicted);
        _pass = _pass with
        {
            Paths = _pass.Paths + paths,
            Excluded = _pass.Excluded + excluded,
            Lost = _pass.Lost + lost.Count,
            NotBuiltHere = _pass.NotBuiltHere + fetched.Length,
            Contradicted = _pass.Contradicted + contradicted.Count,
        };
    }

    private static void Name(IReadOnlyList<StorePath> paths, Action<int, string> tell)
    {
        if (paths.Count > 0)
        {
            var more = paths.Count > MaxNames ? $" and {paths.Count - MaxNames} more" : "";
            tell(paths.Count, string.Join(", ", paths.Take(MaxNames)) + more);
        }
    }

    private void Reject(string id, string reason)
    {
        spool.Reject(id, reason);
        logger.Rejected(id, reason);
        _pass = _pass with { Rejected = _pass.Rejected + 1 };
    }
}
