namespace TrustixProxy.IO.Connections;

/// <summary>Counts what each client has at once: connections, or requests. A client that has nothing is not remembered.</summary>
public sealed class ClientShares
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ClientAddress, int> _counts = [];

    /// <summary>Counts one more; false, and not counted, when the client has <paramref name="most"/> already.</summary>
    public bool TryTake(ClientAddress client, int most)
    {
        lock (_lock)
        {
            var count = _counts.GetValueOrDefault(client);
            if (count >= most)
            {
                return false;
            }

            _counts[client] = count + 1;
            return true;
        }
    }

    /// <summary>Gives back what <see cref="TryTake"/> counted.</summary>
    public void Return(ClientAddress client)
    {
        lock (_lock)
        {
            var left = _counts[client] - 1;
            if (left is 0)
            {
                _counts.Remove(client);
            }
            else
            {
                _counts[client] = left;
            }
        }
    }
}
