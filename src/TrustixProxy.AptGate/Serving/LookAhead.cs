using System.Collections.Concurrent;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Decisions;
using TrustixProxy.AptGate.Delivery;
using TrustixProxy.AptGate.Indexes;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Decides on packages, and fetches those that are granted, while their requests wait behind others.</summary>
internal sealed class LookAhead(IndexBook book, DebDecider decider, GateFiles files)
{
    /// <summary>Maximum number of packages that are looked after ahead.</summary>
    private const int MostAtOnce = 32;

    private readonly ConcurrentDictionary<string, bool> _underway = new(StringComparer.Ordinal);

    /// <summary>Begins what the requests behind one will need.</summary>
    /// <param name="targets">Their raw targets.</param>
    /// <param name="archiveOf">Finds a request's archive.</param>
    /// <param name="closed">Cancelled when nobody waits for them any more.</param>
    public void Begin(IReadOnlyList<string> targets, Func<ArchiveRequest, Archive?> archiveOf, CancellationToken closed)
    {
        foreach (var target in targets)
        {
            if (_underway.Count < MostAtOnce && ArchiveRequest.TryParse(target, out var request, out _)
                && request.Kind is RequestKind.Package && archiveOf(request) is { } archive && _underway.TryAdd(target, true))
            {
                _ = Task.Run(() => RunAsync(target, archive, request, closed), CancellationToken.None);
            }
        }
    }

    private async Task RunAsync(string target, Archive archive, ArchiveRequest request, CancellationToken closed)
    {
        try
        {
            if (book.Find(archive.Options.Name, request.Path) is { } known)
            {
                await PrepareAsync(archive, request, known, closed);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or Microsoft.Data.Sqlite.SqliteException)
        {
            // The request itself will tell.
        }
        finally
        {
            _underway.TryRemove(target, out _);
        }
    }

    private async Task PrepareAsync(Archive archive, ArchiveRequest request, IndexedFile known, CancellationToken closed)
    {
        var asked = new AskedDeb(request.File!, known.Sha256);
        var decision = await decider.DecideAsync(asked, known.Version, closed);
        if (!decision.Verdict.IsGranted || files.Holds(known.Sha256))
        {
            return;
        }

        var fetch = files.Fetch(new FileOrder(archive, request.UrlPath, known.Sha256, known.Size));
        try
        {
            await fetch.Ended.WaitAsync(closed);
        }
        finally
        {
            fetch.Leave();
        }
    }
}
