using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.IO.Connecting;

/// <summary>Connects to a host with several addresses by RFC 8305: an address that does not answer costs 250 ms, not the whole
/// attempt.</summary>
/// <remarks>
/// <code>
/// name ──resolve──▶ addresses ──admit──▶ the last winner, then IPv6 and IPv4 alternately, at most 16
/// ──▶ first attempt ──250 ms, or a failure──▶ second attempt in parallel … ──▶ the first to connect; the others are cancelled
/// </code>
/// Source: RFC 8305, sections 4 and 5; both families are resolved by one call, so section 3 does not apply.</remarks>
public sealed class HappyEyeballs
{
    /// <summary>Maximum number of addresses tried.</summary>
    public const int MaxAddresses = 16;

    private const int MaxRemembered = 256;

    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve;
    private readonly Func<IPEndPoint, CancellationToken, ValueTask<Stream>> _dial;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<DnsEndPoint, (IPAddress Address, long At)> _winners = new();
    private long _lastConnect;

    /// <param name="resolve">Resolves a name; the system's resolver when null.</param>
    /// <param name="dial">Connects to one address; a TCP socket when null.</param>
    public HappyEyeballs(
        TimeProvider time,
        Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null,
        Func<IPEndPoint, CancellationToken, ValueTask<Stream>>? dial = null)
    {
        _time = time;
        _resolve = resolve ?? Dns.GetHostAddressesAsync;
        _dial = dial ?? PooledConnection.ConnectAsync;
    }

    /// <summary>Time after which the next attempt begins in parallel (RFC 8305, Connection Attempt Delay).</summary>
    public static TimeSpan AttemptDelay { get; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long the winning address is tried first.</summary>
    public static TimeSpan WinnerLifetime { get; } = TimeSpan.FromMinutes(10);

    /// <summary>Maximum time of resolving and connecting together.</summary>
    public static TimeSpan Limit { get; } = TimeSpan.FromSeconds(8);

    /// <summary>How long the last successful connect took, name resolution included; zero before the first.</summary>
    public TimeSpan LastConnect => TimeSpan.FromTicks(Volatile.Read(ref _lastConnect));

    /// <summary>Connects to the first of a host's addresses to answer.</summary>
    /// <param name="target">The host, a name or a literal address, and the port.</param>
    /// <param name="admit">Filters the addresses; admits all when null. It throws, with the reason, when it admits none.</param>
    /// <exception cref="SocketException">The name has no address, or no address answers: the first failure that says something of the
    /// peer.</exception>
    public async ValueTask<Stream> ConnectAsync(DnsEndPoint target, Func<IPAddress[], IPAddress[]>? admit, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(Limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        IPAddress[] addresses = [];
        var start = _time.GetTimestamp();
        try
        {
            addresses = await ResolveAsync(target.Host.Trim('[', ']'), either.Token);
            addresses = Order(admit is null ? addresses : admit(addresses), Recall(target));
            var (stream, winner) = await RaceAsync(addresses, target.Port, either.Token);
            Remember(target, winner);
            Volatile.Write(ref _lastConnect, _time.GetElapsedTime(start).Ticks);
            return stream;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            var where = addresses.Length is 0 ? $"the name {target.Host} was not resolved"
                : $"no answer from {string.Join(", ", addresses.AsEnumerable())}";
            throw new SocketException((int)(addresses.Length is 0 ? SocketError.TryAgain : SocketError.TimedOut),
                $"{where} within {Limit.TotalSeconds} s");
        }
    }

    /// <summary>Orders addresses for trial: families alternate, each in the order of the answer.</summary>
    /// <param name="winner">The address that connected last time; null when unknown. If it is still listed, it comes first, and its family
    /// begins.</param>
    public static IPAddress[] Order(IReadOnlyList<IPAddress> addresses, IPAddress? winner)
    {
        var distinct = addresses.Distinct().ToList();
        if (winner is not null && distinct.Remove(winner))
        {
            return [winner, .. Interleave(distinct, winner.AddressFamily is not AddressFamily.InterNetworkV6).Take(MaxAddresses - 1)];
        }

        return [.. Interleave(distinct, winner?.AddressFamily is null or AddressFamily.InterNetworkV6).Take(MaxAddresses)];
    }

    private static IEnumerable<IPAddress> Interleave(List<IPAddress> addresses, bool isSixFirst)
    {
        var six = addresses.Where(address => address.AddressFamily is AddressFamily.InterNetworkV6).ToList();
        var four = addresses.Except(six).ToList();
        var (first, second) = isSixFirst ? (six, four) : (four, six);
        for (var i = 0; i < Math.Max(first.Count, second.Count); i++)
        {
            foreach (var family in new[] { first, second }.Where(family => i < family.Count))
            {
                yield return family[i];
            }
        }
    }

    private async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellation)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal.IsIPv4MappedToIPv6 ? literal.MapToIPv4() : literal];
        }

        var addresses = await _resolve(host, cancellation).WaitAsync(cancellation);
        return addresses.Length > 0 ? addresses : throw new SocketException((int)SocketError.NoData, $"the name {host} has no address");
    }

    /// <summary>Begins attempts one after the other until one connects. On return, all other attempts have ended and are closed.</summary>
    private async Task<(Stream Stream, IPAddress Winner)> RaceAsync(IPAddress[] addresses, int port, CancellationToken cancellation)
    {
        using var race = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var (running, failures, next) = (new List<Attempt>(), new List<SocketException>(), 0);
        try
        {
            while (next < addresses.Length || running.Count > 0)
            {
                if (next < addresses.Length)
                {
                    running.Add(new Attempt(addresses[next], DialAsync(addresses[next], port, race.Token)));
                    next++;
                }

                await AnyEndsAsync(running, next < addresses.Length ? AttemptDelay : null, race.Token);
                foreach (var ended in running.Where(attempt => attempt.Stream.IsCompleted).ToList())
                {
                    running.Remove(ended);
                    try
                    {
                        return (await ended.Stream, ended.Address);
                    }
                    catch (SocketException failure)
                    {
                        failures.Add(failure);
                    }
                }
            }

            throw failures.Find(failure => !IsOfOurSide(failure.SocketErrorCode)) ?? failures[0];
        }
        finally
        {
            await race.CancelAsync();
            await Task.WhenAll(running.Select(CloseAsync));
        }
    }

    private async Task<Stream> DialAsync(IPAddress address, int port, CancellationToken cancellation)
    {
        try
        {
            return await _dial(new IPEndPoint(address, port), cancellation);
        }
        catch (SocketException failure)
        {
            throw new SocketException((int)failure.SocketErrorCode, $"{failure.Message} ({new IPEndPoint(address, port)})");
        }
    }

    /// <summary>Waits until an attempt ends, or the delay is over.</summary>
    private async Task AnyEndsAsync(List<Attempt> running, TimeSpan? delay, CancellationToken cancellation)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var pause = Task.Delay(delay ?? Timeout.InfiniteTimeSpan, _time, waiting.Token);
        await Task.WhenAny([.. running.Select(attempt => attempt.Stream), pause]);
        await waiting.CancelAsync();
        cancellation.ThrowIfCancellationRequested();
    }

    private static async Task CloseAsync(Attempt attempt)
    {
        try
        {
            await (await attempt.Stream).DisposeAsync();
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            // It lost the race: why it ended does not matter.
        }
    }

    /// <summary>Whether an error only means that this machine has no route to such addresses, as without IPv6.</summary>
    private static bool IsOfOurSide(SocketError error) =>
        error is SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.AddressFamilyNotSupported
            or SocketError.AddressNotAvailable;

    private IPAddress? Recall(DnsEndPoint target) =>
        _winners.TryGetValue(target, out var known) && _time.GetElapsedTime(known.At) < WinnerLifetime ? known.Address : null;

    private void Remember(DnsEndPoint target, IPAddress winner)
    {
        if (_winners.Count >= MaxRemembered)
        {
            _winners.Clear();
        }

        _winners[target] = (winner, _time.GetTimestamp());
    }

    private sealed record Attempt(IPAddress Address, Task<Stream> Stream);
}
