using System.Net.Http.Headers;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Reads a file from an upstream. After a break or silence it resumes at the offset: at the same upstream, then at another that
/// claims the same file.</summary>
/// <remarks>The hash at the end shows whether the files were equal. Breaks are unlimited while bytes arrive. Without any, it gives up after
/// the upstream's <c>narDeadline</c>, once all upstreams were asked.</remarks>
internal sealed class NarSource : ReadOnlyStream
{
    /// <summary>Number of immediate retries at the same upstream before others are tried.</summary>
    private const int SameTries = 3;

    /// <summary>Minimum bytes a connection must deliver within its time, or it counts as silent.</summary>
    private const int Enough = 4 << 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100), LongestPause = TimeSpan.FromSeconds(5);

    /// <summary>Silence after which another upstream is tried, if there is one.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(15);

    private readonly List<NarCandidate> _candidates;
    private readonly TimeProvider _time;
    private readonly long _mostBytes;
    private readonly EntityTagHeaderValue? _tag;
    private NarConnection? _connection;
    private ReadOnlyMemory<byte> _head;
    private readonly HashSet<NarCandidate> _asked = [];
    private int _current, _tries;
    private long _offset, _recent, _lastBytes;

    private NarSource(NarCandidate first, NarConnection connection, long mostBytes, TimeProvider time)
    {
        (Candidate, _candidates, _connection, _mostBytes, _time) = (first, [first], connection, mostBytes, time);
        (Encoding, Size, _tag) = (connection.Encoding, connection.Length, connection.Tag);
        _lastBytes = time.GetTimestamp();
    }

    /// <summary>The candidate whose response it began with.</summary>
    public NarCandidate Candidate { get; }

    /// <summary>The Content-Encoding of the body, in addition to the file's own compression.</summary>
    public string Encoding { get; }

    /// <summary>Length of the body in bytes; null when unknown.</summary>
    public long? Size { get; private set; }

    /// <summary>Opens a file and waits for its first bytes.</summary>
    /// <param name="candidate">The candidate to read from.</param>
    /// <param name="mostBytes">Maximum size of a correct file.</param>
    /// <param name="cancellation">Cancels the opening.</param>
    /// <exception cref="NoNarException">No upstream has it.</exception>
    public static async Task<NarSource> OpenAsync(NarCandidate candidate, long mostBytes, TimeProvider time, CancellationToken cancellation)
    {
        var connection = await NarConnection.OpenAsync(candidate, 0, null, time, cancellation);
        var source = new NarSource(candidate, connection, mostBytes, time);
        try
        {
            await source.PrimeAsync(cancellation);
            candidate.Upstream.Health.ReportNar(null);
            return source;
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sets the candidates that have the same file, and its length where known.</summary>
    public void Follow(IEnumerable<NarCandidate> others, long? length)
    {
        _candidates.AddRange(others);
        Size ??= length;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!_head.IsEmpty)
        {
            var count = Math.Min(buffer.Length, _head.Length);
            _head[..count].CopyTo(buffer);
            _head = _head[count..];
            return count;
        }

        while (true)
        {
            var read = await TryReadAsync(buffer, cancellationToken);
            if (read is > 0)
            {
                return read.Value;
            }

            if (read is 0 && (Size is null || _offset >= Size))
            {
                return 0;
            }

            await ResumeAsync(wasSilent: read is null && _connection is { IsSilent: true }, cancellationToken);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _connection?.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Reads enough to show that bytes arrive.</summary>
    private async Task PrimeAsync(CancellationToken cancellation)
    {
        var (buffer, filled) = (new byte[2 * Enough], 0);
        while (filled < Enough)
        {
            var read = await TryReadAsync(buffer.AsMemory(filled), cancellation);
            if (read is 0 || (read is null && filled > 0 && !_connection!.IsSilent))
            {
                break; // a break after the first bytes is resumed at its offset
            }

            if (read is null)
            {
                Candidate.Upstream.NoteNarFailure(
                    new UpstreamFault(_connection!.IsSilent ? UpstreamFailure.Silent : UpstreamFailure.ConnectionReset));
                throw new NoNarException(NarFault.Unreachable, "broke off before its first bytes");
            }

            filled += read.Value;
        }

        _head = buffer.AsMemory(0, filled);
    }

    private async ValueTask<int?> TryReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        var read = await _connection!.TryReadAsync(buffer, cancellation);
        if (read is not > 0)
        {
            return read;
        }

        _offset += read.Value;
        _recent += read.Value;
        if (_recent >= Enough)
        {
            (_recent, _tries, _lastBytes) = (0, 0, _time.GetTimestamp());
            _asked.Clear();
            _connection.Limit(SilenceLimit);
        }

        return _offset <= _mostBytes ? read : throw new NarRefusedException(NarFault.TooLong);
    }

    private TimeSpan SilenceLimit => _candidates.Count > 1 && Silence < Deadline ? Silence : Deadline;

    private TimeSpan Deadline => _candidates[_current].Upstream.Options.NarDeadline;

    /// <summary>Resumes at the offset.</summary>
    /// <exception cref="NarRefusedException">No upstream can resume.</exception>
    private async Task ResumeAsync(bool wasSilent, CancellationToken cancellation)
    {
        _connection!.Dispose();
        _connection = null;
        if (Encoding is not NarCompression.None)
        {
            throw new NarRefusedException(NarFault.BrokenOff);
        }

        var deadline = Deadline;
        _tries = wasSilent ? Math.Max(_tries, SameTries) : _tries;
        while (_candidates.Count > 0 && (_time.GetElapsedTime(_lastBytes) < deadline || _asked.Count < _candidates.Count))
        {
            await Task.Delay(PauseBefore(_tries), _time, cancellation);
            _current = _tries < SameTries ? _current : (_current + 1) % _candidates.Count;
            _tries++;
            var candidate = _candidates[_current];
            _asked.Add(candidate);
            if (await TryResumeAsync(candidate, cancellation))
            {
                UpstreamMetrics.DownloadResumed(candidate.Upstream.Options.Name);
                return;
            }
        }

        throw new NarRefusedException(NarFault.BrokenOff);
    }

    private static TimeSpan PauseBefore(int tries) =>
        tries is 0 ? TimeSpan.Zero : tries > 6 ? LongestPause : FirstPause * (1 << (tries - 1));

    /// <summary>Requests the rest from one upstream. One that answered that it has none is not asked again.</summary>
    private async Task<bool> TryResumeAsync(NarCandidate candidate, CancellationToken cancellation)
    {
        NarConnection? connection = null;
        try
        {
            connection = await NarConnection.OpenAsync(candidate, _offset, candidate == Candidate ? _tag : null, _time, cancellation);
            if (await TrySkipAsync(connection, _offset - connection.Start, cancellation))
            {
                (_connection, connection) = (connection, null);
                _connection.Limit(SilenceLimit);
                return true;
            }
        }
        catch (NoNarException exception) when (exception.Fault is NarFault.Gone)
        {
            _candidates.Remove(candidate);
            _asked.Remove(candidate);
            _current = 0;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // It is down; it is asked again, like the others.
        }
        finally
        {
            connection?.Dispose();
        }

        return false;
    }

    /// <summary>Skips bytes already read, when the upstream's response begins before the offset.</summary>
    private static async Task<bool> TrySkipAsync(NarConnection connection, long count, CancellationToken cancellation)
    {
        var buffer = new byte[32 << 10];
        while (count > 0)
        {
            if (await connection.TryReadAsync(buffer.AsMemory(0, (int)Math.Min(count, buffer.Length)), cancellation) is not (
                > 0 and var read))
            {
                return false;
            }

            count -= read;
            connection.Limit(Silence);
        }

        return true;
    }
}
