using System.Net.Http.Headers;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Reads a file from an upstream. Where that breaks off or falls silent it goes on at the offset: there again, then at another
/// that says it has the same file.</summary>
/// <remarks>Whether they had the same file, the hash at the end shows. As long as bytes come in between there is no limit to breaks;
/// without any, it gives up once the upstream's <c>narDeadline</c> is over and everyone was asked.</remarks>
internal sealed class NarSource : ReadOnlyStream
{
    /// <summary>How often the same upstream is asked again at once before others are.</summary>
    private const int SameTries = 3;

    /// <summary>A connection that has not brought this much in its time counts as silent.</summary>
    private const int Enough = 4 << 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100), LongestPause = TimeSpan.FromSeconds(5);

    /// <summary>How long a silence lasts before another upstream is tried, where there is one.</summary>
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

    /// <summary>Whose answer it began with.</summary>
    public NarCandidate Candidate { get; }

    /// <summary>How the body is compressed beside the file's own compression.</summary>
    public string Encoding { get; }

    /// <summary>How many bytes the body has; null when that is not known.</summary>
    public long? Size { get; private set; }

    /// <summary>Opens a file and waits for its first bytes.</summary>
    /// <param name="candidate">Whose.</param>
    /// <param name="mostBytes">How many bytes it can have if it is right.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends the opening.</param>
    /// <exception cref="NoNarException">There is none.</exception>
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

    /// <summary>Says who has the same file, and what the length is that is known elsewhere.</summary>
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

    /// <summary>Reads enough to show that bytes come.</summary>
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

    /// <summary>Goes on at the offset.</summary>
    /// <exception cref="NarRefusedException">Nobody can.</exception>
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

    /// <summary>Asks one upstream for the rest. One that has answered that it has none is not asked again.</summary>
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
            // It is down; it is asked again, and so are others.
        }
        finally
        {
            connection?.Dispose();
        }

        return false;
    }

    /// <summary>Reads past what is there already, where the upstream begins before it.</summary>
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
