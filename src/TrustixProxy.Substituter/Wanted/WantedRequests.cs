using System.Net;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>Takes down which undecided paths clients ask for, except private ones.</summary>
internal sealed class WantedRequests(WantedTable table, PrivateNames names)
{
    /// <summary>Records a request.</summary>
    /// <param name="wanted">What the path lacks; null if it was decided, or nobody names it.</param>
    /// <param name="client">The client's address; null on unix sockets.</param>
    public void Note(WantedPath? wanted, IPAddress? client)
    {
        if (wanted is not null && names.Show(wanted) is { } shown)
        {
            table.Ask(shown, ClientAddress.Of(client));
        }
    }
}
